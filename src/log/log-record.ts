type LogRecord = Record<string, unknown>;

const cutMark = '…';

/**
 * The log record `line`, JSON with its line end, as a line of at most `bytesMax` bytes in which every
 * control character is escaped (docs/protocol.md, "Log records"). What is too long is cut field by field,
 * the longest first, so that the record stays JSON and its short fields whole.
 */
export function boundedRecord(line: string, bytesMax: number): string {
  const escaped = escapeControls(line);
  // No unit of a string takes more than three bytes, so most lines need not be measured.
  if (escaped.length * 3 <= bytesMax || Buffer.byteLength(escaped) <= bytesMax) return escaped;
  const record = JSON.parse(line) as LogRecord;
  for (;;) {
    const shorter = encode(record);
    const excessBytes = Buffer.byteLength(shorter) - bytesMax;
    if (excessBytes <= 0) return shorter;
    shorten(record, excessBytes);
  }
}

/**
 * Writes control characters as JSON escapes. JSON itself leaves those outside of ASCII as they are, and some
 * terminals obey them; others end a line for some readers, or make text run backwards.
 */
export function escapeControls(json: string): string {
  return json.replace(
    /[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function encode(record: LogRecord): string {
  return `${escapeControls(JSON.stringify(record))}\n`;
}

/** Cuts at least one character off the longest field, and takes it away when nothing of it is left. */
function shorten(record: LogRecord, excessBytes: number): void {
  let longest = '';
  let longestText = '';
  for (const [name, value] of Object.entries(record)) {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    if (text.length > longestText.length) [longest, longestText] = [name, text];
  }
  const text = longestText.endsWith(cutMark) ? longestText.slice(0, -cutMark.length) : longestText;
  // A character takes at least one byte, so what this cuts may not be enough, but it is never more than half
  // of the field too much.
  const keptLength = Math.max(text.length - excessBytes - cutMark.length, Math.floor(text.length / 2));
  if (keptLength < 1) Reflect.deleteProperty(record, longest);
  else record[longest] = `${text.slice(0, keptLength).toWellFormed()}${cutMark}`;
}
