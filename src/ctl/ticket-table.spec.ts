import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TicketInfo } from '#sdk';
import { formatBytes, ticketLines, ticketTable } from './ticket-table.js';

const upload: TicketInfo = {
  uuid: 'a',
  size: 1_610_612_736,
  url: 'file:///disk',
  ops: ['write'],
  timeout: 300,
  expires: 1200,
  active: true,
  canceled: false,
  connections: 2,
  idle_time: 0,
  inactivity_timeout: 60,
  sparse: false,
  dirty: false,
  transfer_id: 'upload-1',
  transferred: 536_870_912,
};

test('shows a transfer with a progress bar', () => {
  assert.equal(
    ticketTable([upload], 1000),
    'ID  TRANSFER  OPS       SIZE  PROGRESS                      STATE   CONNECTIONS  IDLE  EXPIRES\n' +
      'a   upload-1  write  1.5 GiB  [######..............]  33 %  active            2   0 s    3 min\n',
  );
});

const cases: readonly [string, Partial<TicketInfo>, RegExp][] = [
  ['a transfer that is nearly done as not done', { transferred: 1_610_612_735 }, /\[#{19}\.\]\s+99 %/],
  ['a transfer that is done', { transferred: 1_610_612_736 }, /\[#{20}\] 100 %/],
  ['an empty ticket as done', { size: 0, transferred: 0 }, /0 B {2}\[#{20}\] 100 %/],
  ['a ticket that is canceled', { canceled: true }, / canceled /],
  ['a ticket that has expired', { expires: 1000 }, / expired$/m],
  ['control characters as question marks', { transfer_id: 'a\u001b[31m\nb' }, /a\?\[31m\?b/],
];
for (const [what, change, expected] of cases) {
  test(`shows ${what}`, () => {
    assert.match(ticketTable([{ ...upload, ...change }], 1000), expected);
  });
}

test('shows no progress of a ticket that may read and write', () => {
  const both = { ...upload };
  delete both.transferred;
  assert.match(ticketTable([both], 1000), / 1\.5 GiB {2}- +active/);
});

test('shows the titles when there is no ticket', () => {
  assert.match(ticketTable([], 0), /^ID {2}TRANSFER .*EXPIRES\n$/);
});

test('shows one ticket line by line', () => {
  assert.match(ticketLines(upload), /^uuid: +a$.*^transferred: +536870912$/ms);
});

test('writes sizes in the largest unit that fits', () => {
  assert.deepEqual([0, 1023, 1024, 1536, 2 ** 40, 2 ** 60, 2 ** 64].map(formatBytes), [
    '0 B',
    '1023 B',
    '1 KiB',
    '1.5 KiB',
    '1 TiB',
    '1 EiB',
    '16 EiB',
  ]);
});
