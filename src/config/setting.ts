/** A value as somebody wrote it, before anything is known about its option. */
export interface Setting {
  readonly section: string;
  readonly option: string;
  readonly value: string;
  /** Where it was written, for people: `file:line` or the name of an environment variable. */
  readonly origin: string;
}
