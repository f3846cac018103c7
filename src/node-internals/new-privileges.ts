import {
  capget,
  capset,
  PR_CAPBSET_DROP,
  PR_CAPBSET_READ,
  PR_GET_NO_NEW_PRIVS,
  PR_SET_NO_NEW_PRIVS,
  prctl,
} from '../native/thread-privileges.js';

/**
 * Makes sure that no program which this process could be made to run gains privileges: neither by a
 * set-user-ID file or one with capabilities (`no_new_privs`), nor, when root starts the service, by what
 * root gets at each execve (the capability bounding set, which is emptied). The service runs no other
 * programs, so it loses nothing.
 *
 * Linux keeps both for each thread, and V8 has threads before the first line of this runs: they have it
 * only in the next process image, whose threads all come from the one that called execve. Until the service
 * becomes an ordinary user it needs the capabilities that root has, to read keys, bind ports and change its
 * user. With an empty bounding set they get through the execve of root as inheritable ones
 * (capabilities(7)).
 * @returns whether there was something to give up, so that an execve is due
 */
export function refuseNewPrivileges(): boolean {
  const isNew = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) === 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) === 0;
  if (process.geteuid?.() !== 0) return isNew;
  const bounding = boundingSet();
  if (bounding.length === 0) {
    // This is the process image that was started after dropping them. The inheritable capabilities did their
    // work at that start and are removed.
    setInheritable(() => 0);
    return isNew;
  }
  // With an empty bounding set root keeps only its inheritable capabilities at an execve. The next process
  // image needs them to change its user.
  if (!setInheritable((permitted) => permitted)) return isNew;
  const dropped = bounding.filter((capability) => prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) === 0);
  // A container may have taken the right to do so (CAP_SETPCAP) from its root.
  if (dropped.length === 0) setInheritable(() => 0);
  return isNew || dropped.length > 0;
}

/** `_LINUX_CAPABILITY_VERSION_3` of linux/capability.h: two words of 32 capabilities for each set. */
const capabilityVersion = 0x20080522;

/** The numbers of the capabilities in the bounding set of this thread. */
function boundingSet(): number[] {
  const numbers: number[] = [];
  for (let number = 0; ; number += 1) {
    const isIn = prctl(PR_CAPBSET_READ, number, 0, 0, 0);
    // There are no more capabilities than this.
    if (isIn < 0) return numbers;
    if (isIn === 1) numbers.push(number);
  }
}

/**
 * Sets the inheritable capabilities of this thread to a part of its permitted ones, word by word.
 * @returns whether the system let it
 */
function setInheritable(choose: (permitted: number) => number): boolean {
  // Effective, permitted and inheritable ones, first the words of the lower numbers.
  const sets = new Uint32Array(6);
  if (capget(Uint32Array.of(capabilityVersion, 0), sets) !== 0) return false;
  for (const word of [0, 3]) sets[word + 2] = choose(sets[word + 1] ?? 0);
  return capset(Uint32Array.of(capabilityVersion, 0), sets) === 0;
}
