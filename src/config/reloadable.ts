import type { Config } from './config.js';

/** A part of a running service that takes a changed configuration or changed files without a restart. */
export interface Reloadable {
  /** What is reloaded, for the log. */
  readonly what: string;
  /** @throws Error when the new one cannot be used: then the old one stays */
  reload(config: Config): void;
}
