/** The text is the url of an NBD export (docs/protocol.md, "Image urls"), and no file. */
export function isNbdUrl(text: string): boolean {
  return /^nbd(\+unix)?:/.test(text);
}
