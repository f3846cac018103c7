import type { Attack } from '../attack.js';
import { brokenHandshakes, heldSlots } from './connections.js';
import { expensiveJson, malformed, pipelining, refusals } from './requests.js';
import { greedySession, greedyTicket, hungStorage } from './transfers.js';

export const attacks: readonly Attack[] = [
  pipelining,
  expensiveJson,
  brokenHandshakes,
  heldSlots,
  refusals,
  malformed,
  greedyTicket,
  hungStorage,
  greedySession,
];
