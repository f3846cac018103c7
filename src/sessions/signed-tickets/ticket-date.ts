const dateForm = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})$/;

/**
 * Reads a date of a signed ticket, `yyyyMMddHHmmss` in UTC.
 * @returns Unix seconds, or undefined when it has another form or is not in the
 *   calendar (February 30th, 24 o'clock)
 */
export function parseTicketDate(text: string): number | undefined {
  const parts = dateForm.exec(text);
  if (!parts) return undefined;
  const [, year, month, day, hour, minute, second] = parts;
  // Unlike Date.UTC, which carries a 32nd day over into the next month and takes years
  // below 100 for 19xx, this is strict.
  const milliseconds = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(milliseconds)) return undefined;
  // February 30th is carried over even here, and hour 24 is read as the next midnight: what is
  // read must be what was written.
  const written = new Date(milliseconds).toISOString().replace(/\D/g, '').slice(0, 14);
  return written === text ? milliseconds / 1000 : undefined;
}
