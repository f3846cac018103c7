/** What went wrong, for a person: `texts.ts` has what to do about each. */
export type ProblemCode =
  | 'offline'
  | 'unreachable'
  | 'busy'
  | 'ticket-expired'
  | 'ticket-unknown'
  | 'signed-ticket-refused'
  | 'session-ended'
  | 'refused'
  | 'not-begun'
  | 'storage-full'
  | 'differs'
  | 'file-changed'
  | 'file-refused'
  | 'other-tab'
  | 'defect';

export interface Problem {
  readonly code: ProblemCode;
  /** Of the service or the browser; one line for each. */
  readonly words: readonly string[];
}
