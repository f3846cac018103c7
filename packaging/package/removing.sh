#!/bin/sh
# Before the package goes, of rpm and deb, and not for an upgrade: the service that was there before is put back.
set -e
case ${1:-0} in
    remove | 0) /usr/sbin/ovirt-imageio-switch python ;;
esac
