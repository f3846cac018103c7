/** One thing that is wrong with the configuration. */
export interface ConfigProblem {
  /** Where it was set: `file:line`, the environment variable, or nothing when it is a default or missing. */
  readonly origin?: string | undefined;
  readonly section?: string;
  readonly option?: string;
  readonly reason: string;
}

/** The configuration cannot be used: the start stops. The message has one line per problem and no secret. */
export class ConfigError extends Error {
  constructor(readonly problems: readonly ConfigProblem[]) {
    super(problems.map(problemLine).join('\n'));
    this.name = 'ConfigError';
  }
}

function problemLine({ origin, section, option, reason }: ConfigProblem): string {
  const place = [section === undefined ? undefined : `[${section}]`, option].filter(
    (part) => part !== undefined,
  );
  return [origin, place.length > 0 ? place.join(' ') : undefined, reason]
    .filter((part) => part !== undefined)
    .join(': ');
}
