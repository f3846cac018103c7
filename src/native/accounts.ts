import koffi from 'koffi';
import { libc } from './libc.js';

/**
 * The ids of users and groups by libc, since Node has no look-up of its own and /etc/passwd does not list
 * users of directory services. The structs name only the fields up to the last one that is read: the rest
 * differs between systems.
 */

const passwdType = koffi.struct({
  pw_name: 'char *',
  pw_passwd: 'char *',
  pw_uid: 'uint32_t',
  pw_gid: 'uint32_t',
});
const groupType = koffi.struct({
  gr_name: 'char *',
  gr_passwd: 'char *',
  gr_gid: 'uint32_t',
});

const getpwnam = libc.func('getpwnam', koffi.pointer(passwdType), ['str']) as (name: string) => unknown;
const getgrnam = libc.func('getgrnam', koffi.pointer(groupType), ['str']) as (name: string) => unknown;

/** The id of a user; undefined when there is none of that name. */
export function userIdOf(name: string): number | undefined {
  const user = getpwnam(name);
  return user === null ? undefined : (koffi.decode(user, passwdType) as { pw_uid: number }).pw_uid;
}

/** The id of a group; undefined when there is none of that name. */
export function groupIdOf(name: string): number | undefined {
  const group = getgrnam(name);
  return group === null ? undefined : (koffi.decode(group, groupType) as { gr_gid: number }).gr_gid;
}
