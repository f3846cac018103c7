import assert from 'node:assert/strict';

/** How a block of commands is known to be right: the comment before it says so, and readers do not see it. */
export type Trial =
  /** `<!-- run -->`: its commands end by themselves. */
  | { readonly kind: 'run' }
  /**
   * `<!-- run until "TEXT" -->`: the last command goes on until it is interrupted, and
   * is ready when it prints TEXT.
   */
  | { readonly kind: 'run until'; readonly readyText: string }
  /** `<!-- run by FILE -->`: another test runs the block as it is in the page. */
  | { readonly kind: 'run by'; readonly testFile: string }
  /** `<!-- not run: REASON -->` */
  | { readonly kind: 'not run'; readonly reason: string };

export interface ShellBlock {
  /** `README.md:12`, the line where the block begins. */
  readonly place: string;
  readonly commands: string;
  /** Undefined when nothing is said. */
  readonly trial: Trial | undefined;
}

const shellLanguages = ['sh', 'bash', 'shell', 'console'];
/** A block without a language is one of commands when it begins with one of these. */
const programs =
  /^(\$ )?(npm|npx|node|git|curl|helm|kubectl|podman|docker|openssl|systemctl|python3?|go|mvn) /;

/**
 * The blocks of commands of a page, in order.
 * @throws AssertionError for a comment that means none of the trials
 */
export function shellBlocksOf(page: string, text: string): ShellBlock[] {
  const fences = /(?:^ *<!-- (.*?) -->\n+)?^( *)```(\w*)[^\n]*\n([^]*?)^\2```$/gm;
  return [...text.matchAll(fences)]
    .filter(
      ([, , , language = '', code = '']) =>
        shellLanguages.includes(language) || (language === '' && programs.test(code.trimStart())),
    )
    .map(({ 0: whole, 1: comment, 4: commands = '', index }) => {
      const line = text.slice(0, index + whole.indexOf('```')).split('\n').length;
      const place = `${page}:${line}`;
      return { place, commands, trial: comment === undefined ? undefined : parseTrial(comment, place) };
    });
}

function parseTrial(comment: string, place: string): Trial {
  const { until, by, reason } =
    /^(?:run|run until "(?<until>.+)"|run by (?<by>\S+)|not run: (?<reason>.+))$/.exec(comment)?.groups ?? {};
  if (until !== undefined) return { kind: 'run until', readyText: until };
  if (by !== undefined) return { kind: 'run by', testFile: by };
  if (reason !== undefined) return { kind: 'not run', reason };
  assert.equal(comment, 'run', `${place}: this comment is none that says how the commands are tried`);
  return { kind: 'run' };
}
