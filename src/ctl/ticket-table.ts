import type { TicketInfo } from '#sdk';

const barWidth = 20;
const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const;

interface Column {
  readonly title: string;
  readonly cell: (ticket: TicketInfo, nowSeconds: number) => string;
  readonly alignRight?: boolean;
}

const columns: readonly Column[] = [
  { title: 'ID', cell: ({ uuid }) => printable(uuid) },
  { title: 'TRANSFER', cell: ({ transfer_id: id }) => printable(id) },
  { title: 'OPS', cell: ({ ops }) => ops.join(',') },
  { title: 'SIZE', cell: ({ size }) => formatBytes(size), alignRight: true },
  { title: 'PROGRESS', cell: formatProgress },
  { title: 'STATE', cell: formatState },
  { title: 'CONNECTIONS', cell: ({ connections }) => String(connections), alignRight: true },
  { title: 'IDLE', cell: ({ idle_time: idle }) => formatSeconds(idle), alignRight: true },
  { title: 'EXPIRES', cell: ({ expires }, now) => formatExpiry(expires - now), alignRight: true },
];

/**
 * Tickets as a table for people, one a line under titles.
 * @param nowSeconds of the clock that `expires` is of: CLOCK_MONOTONIC of this host
 */
export function ticketTable(tickets: readonly TicketInfo[], nowSeconds: number): string {
  const rows = [
    columns.map(({ title }) => title),
    ...tickets.map((ticket) => columns.map(({ cell }) => cell(ticket, nowSeconds))),
  ];
  const widths = columns.map((_column, index) => Math.max(...rows.map((row) => (row[index] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, index) => {
          const width = widths[index] ?? 0;
          return columns[index]?.alignRight === true ? cell.padStart(width) : cell.padEnd(width);
        })
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** A ticket as lines `key: value`, in the order of the service. */
export function ticketLines(ticket: TicketInfo): string {
  const entries = Object.entries(ticket);
  const width = Math.max(...entries.map(([key]) => key.length)) + 1;
  return entries.map(([key, value]) => `${`${key}:`.padEnd(width)} ${printable(String(value))}\n`).join('');
}

/** `1.5 GiB`: a number of bytes in the largest unit that leaves at least one before the point. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}

function formatProgress({ size, transferred }: TicketInfo): string {
  // A ticket that may read and write does not say which of the two it counts.
  if (transferred === undefined) return '-';
  const part = size === 0 ? 1 : Math.min(1, transferred / size);
  // Rounded down, so that 100 % is shown only when the transfer is complete.
  const filled = Math.floor(part * barWidth);
  const percent = String(Math.floor(part * 100)).padStart(3);
  return `[${'#'.repeat(filled)}${'.'.repeat(barWidth - filled)}] ${percent} %`;
}

function formatState({ active, canceled }: TicketInfo): string {
  if (canceled) return 'canceled';
  return active ? 'active' : 'idle';
}

function formatExpiry(seconds: number): string {
  return seconds <= 0 ? 'expired' : formatSeconds(Math.ceil(seconds));
}

function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

/**
 * Escapes control characters, because texts in a ticket must not send commands to the operator's terminal.
 */
function printable(text: string): string {
  return text.replaceAll(/[^\P{C}]/gu, '?');
}
