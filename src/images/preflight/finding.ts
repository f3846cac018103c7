/** How bad it is: the transfer fails, may fail or come out wrong, or may be done better. */
export type Severity = 'error' | 'warning' | 'info';

/** One thing that a preflight has found. Its texts name no path, url, export or id: clients see them. */
export interface Finding {
  /** Stable, for programs. */
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  /** What to do about it. */
  readonly advice: string;
}
