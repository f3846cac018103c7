import type { Config } from '../config/config.js';
import type { JournalTrust } from '../tickets/journal/open-journal.js';
import type { InheritedSockets } from '../wire/inherited-sockets.js';
import type { Logger } from '../log/logger.js';

/** What a role is made from. */
export interface RoleInputs {
  readonly config: Config;
  readonly logger: Logger;
  /** JSON files of tickets that are there from the start. */
  readonly ticketFiles: readonly string[];
  /** Which tickets of the process before are believed. */
  readonly trust?: JournalTrust | undefined;
  /** Sockets that the process was started with; absent: the listeners bind their own. */
  readonly inherited?: InheritedSockets | undefined;
}
