/** Of an administrator, whose files are in its `conf.d`. */
export const defaultConfDir = '/etc/ovirt-imageio';
