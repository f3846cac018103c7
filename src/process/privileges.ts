import { lchownSync } from 'node:fs';
import { errorMessage } from '../base/error-details.js';
import { groupIdOf, userIdOf } from '../native/accounts.js';

export interface PrivilegeOptions {
  /** `[daemon] drop_privileges` */
  readonly enable: boolean;
  readonly userName: string;
  readonly groupName: string;
  /** Given to the user, so that the control socket can be removed at stop. */
  readonly runDir: string;
  /** Given to the user: the control socket, to be removed at stop, and the log, to be opened anew. */
  readonly ownedFiles?: readonly string[];
}

/** What was done, for the log. */
export type PrivilegeResult =
  | { readonly dropped: false; readonly reason: 'disabled' | 'not root' }
  | {
      readonly dropped: true;
      readonly userId: number;
      readonly groupId: number;
      /** Supplementary groups: images often belong to one of them. */
      readonly groupIds: readonly number[];
      /** The paths that now belong to the user. */
      readonly ownedPaths: readonly string[];
    };

/** The process cannot become the configured user; the start must stop rather than go on as root. */
export class PrivilegeError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PrivilegeError';
  }
}

/**
 * Becomes an ordinary user, for good. Call it after every listener is bound and every file that only root can
 * read (TLS keys) has been read. Does nothing unless the process is root.
 * @throws PrivilegeError when user or group do not exist, a path cannot be given away, or the system refuses
 */
export function dropPrivileges(options: PrivilegeOptions): PrivilegeResult {
  const { enable, userName, groupName, runDir, ownedFiles = [] } = options;
  if (!enable) return { dropped: false, reason: 'disabled' };
  if (process.geteuid?.() !== 0) return { dropped: false, reason: 'not root' };

  const { userId, groupId } = lookUp(userName, groupName);
  const ownedPaths = [runDir, ...ownedFiles];
  for (const path of ownedPaths) giveTo(path, userId, groupId);

  // Node's types declare these functions as optional and lack initgroups. They exist here, because geteuid
  // did.
  const { initgroups, setgid, setuid } = process as PosixProcess;
  try {
    // This order: after setuid the process may no longer change its groups. As root, each call sets the real,
    // effective and saved id at once, so there is no way back.
    initgroups(userName, groupId);
    setgid(groupId);
    setuid(userId);
  } catch (error: unknown) {
    throw new PrivilegeError(`Cannot continue as user ${userName}: ${errorMessage(error)}`, { cause: error });
  }
  return { dropped: true, userId, groupId, groupIds: process.getgroups?.() ?? [], ownedPaths };
}

type PosixProcess = NodeJS.Process &
  Required<Pick<NodeJS.Process, 'setgid' | 'setuid'>> & {
    readonly initgroups: (user: string, extraGroup: number) => void;
  };

function giveTo(path: string, userId: number, groupId: number): void {
  try {
    // Not chown, which would follow a symbolic link that somebody else put there.
    lchownSync(path, userId, groupId);
  } catch (error: unknown) {
    throw new PrivilegeError(`Cannot change the owner of ${path}: ${errorMessage(error)}`, { cause: error });
  }
}

function lookUp(userName: string, groupName: string): { userId: number; groupId: number } {
  const userId = userIdOf(userName);
  if (userId === undefined) throw new PrivilegeError(`User ${userName} of [daemon] user_name does not exist`);
  const groupId = groupIdOf(groupName);
  if (groupId === undefined) {
    throw new PrivilegeError(`Group ${groupName} of [daemon] group_name does not exist`);
  }
  return { userId, groupId };
}
