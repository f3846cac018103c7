#!/bin/sh
# After an installation or an upgrade, of rpm and deb.
set -e
if command -v systemd-sysusers >/dev/null; then systemd-sysusers ovirt-imageio-ts.conf; fi
if [ -d /run/systemd/system ]; then
    systemd-tmpfiles --create ovirt-imageio-ts.conf
fi
/usr/sbin/ovirt-imageio-switch refresh
