type LogRecord = Record<string, unknown>;

const cutMark = '…';

/**
 * The log record `line`, JSON with its line end, as a line of at most `bytesMax` bytes in which every
 * control character is escaped (docs/protocol.md, "Log records"). What is too long is cut field by field,
 * the longest first, so that the record stays JSON and its short fields whole.
 */
export function boundedRecord(line: string, bytesMax: number): string {
  const escaped = escapeControls(line);
  // UTF-8 takes at most three bytes for each UTF-16 unit that `length` counts. So most lines are known to be
  // short enough without counting their bytes.
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
 * Writes control characters as JSON escapes. JSON leaves those outside of ASCII as they are. Some of them
 * are commands to terminals, some end a line for some readers, and some make text run backwards.
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
  // Cutting one character saves at least one byte, and often exactly one, so `excessBytes` characters are
  // cut. With longer characters that is more than needed; so no more than half of the field goes at once, and
  // the caller repeats this until the record is short enough.
  const keptLength = Math.max(text.length - excessBytes - cutMark.length, Math.floor(text.length / 2));
  if (keptLength < 1) Reflect.deleteProperty(record, longest);
  else record[longest] = `${text.slice(0, keptLength).toWellFormed()}${cutMark}`;
}
