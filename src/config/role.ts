/** What this process is: the daemon beside the storage of one host, or the proxy in front of many daemons. */
export type Role = 'daemon' | 'proxy';

export const roles: readonly Role[] = ['daemon', 'proxy'];
