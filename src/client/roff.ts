/** In what roff reads: no request at the start of a line, hyphens and backslashes as they are typed. */
export function text(words: string): string {
  return words
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/, '\\&');
}

/** A tag, which is a request already, and what is said of it. */
export function tagged(tag: string, words: string): readonly string[] {
  return ['.TP', tag, text(words)];
}

export function asSentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}${words.endsWith('.') ? '' : '.'}`;
}

export function asClause(words: string): string {
  return `${words.charAt(0).toLowerCase()}${words.slice(1).replace(/\.$/, '')}`;
}
