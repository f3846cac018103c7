import type { TransferProgress } from '#sdk/transfer';

/** What is shown of a running transfer. */
export interface Report {
  /** Called with the newest state, a few times a second. */
  progress(progress: TransferProgress): void;
  /** Says something for people, beside what is shown. */
  note(words: string): void;
  /** Nothing is shown any more. */
  end(): void;
}

export const progressForms = ['auto', 'bar', 'plain', 'none'] as const;
export type ProgressForm = (typeof progressForms)[number];
