/**
 * Characters of a quoted string that stay as they are in every browser and curl (RFC 9110 section
 * 5.6.4, less the awkward ones).
 */
const plain = /^[A-Za-z0-9 !#$&'()+,\-.;=@[\]^_`{}~]*$/;
// eslint-disable-next-line no-control-regex -- they are what must go
const awkward = /[\u0000-\u001f\u007f"\\/%]|[^\u0000-\u007f]/gu;

/**
 * The `Content-Disposition` header of a download (RFC 6266): an ASCII name for all, and the real one as
 * `filename*` (RFC 8187) for those who know it, when the two differ.
 */
export function contentDisposition(filename: string | undefined): string {
  if (filename === undefined || filename === '') return 'attachment';
  const fallback = filename.toWellFormed().replaceAll(awkward, '_');
  const header = `attachment; filename="${fallback}"`;
  return plain.test(filename)
    ? header
    : `${header}; filename*=UTF-8''${encodeExtended(filename.toWellFormed())}`;
}

/** RFC 8187 `value-chars`: what encodeURIComponent leaves as it is, less `'()*`. */
function encodeExtended(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
