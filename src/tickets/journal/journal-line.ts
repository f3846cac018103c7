import { crc32 } from 'node:zlib';

/** The first bytes of a line, before the checksum that tells a line from damage. */
const head = '{"crc":';
const form = /^\{"crc":(\d{1,10}),"record":(.*)\}$/s;

/** A record of the journal, as JSON has it. */
export type JsonRecord = Readonly<Record<string, unknown>>;

/** One line: the record, and the CRC-32 of its text. */
export function journalLine(record: JsonRecord): string {
  const text = JSON.stringify(record);
  return `${head}${crc32(text)},"record":${text}}\n`;
}

/** The record of a line without its end; undefined when the line is not as it was written. */
export function readJournalLine(line: string): JsonRecord | undefined {
  const [, sum, text] = form.exec(line) ?? [];
  if (sum === undefined || text === undefined || Number(sum) !== crc32(text)) return undefined;
  return JSON.parse(text) as JsonRecord;
}
