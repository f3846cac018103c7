import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import pino from 'pino';
import { SeededRandom } from '../../../test/support/random.js';
import { ManualClock, ticketDefinition } from '../../../test/support/tickets.js';
import { MemoryTicketStore } from '../memory-ticket.store.js';
import { RangeSet } from '../range-set.js';
import type { TicketLease } from '../ticket-lease.js';
import { replayJournal } from './journal-replay.js';
import { openJournal } from './open-journal.js';
import type { TicketJournal } from './ticket-journal.js';

const bootId = 'b'.repeat(32);
const blockBytes = 10;
let folder: string;
let clock: ManualClock;
let logLines: string[];
let journals: TicketJournal[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'journal-'));
  clock = new ManualClock();
  logLines = [];
  journals = [];
});

afterEach(async () => {
  for (const journal of journals) await journal.onApplicationShutdown();
  rmSync(folder, { recursive: true });
});

interface Process {
  readonly store: MemoryTicketStore;
  readonly journal: TicketJournal;
}

/** As a process does that comes after those before. */
async function start(owners = [process.geteuid!()], boot = bootId): Promise<Process> {
  const store = new MemoryTicketStore({ removeTimeoutSeconds: 0, ticketsMax: 100, rangesMax: 64 }, clock);
  const logger = pino({ base: null }, { write: (line: string) => logLines.push(line) });
  const options = { keepTickets: 'restart', runDir: folder, bootId: boot, owners } as const;
  const journal = await openJournal(store, options, logger);
  assert.ok(journal);
  await journal.begin();
  journals.push(journal);
  return { store, journal };
}

function path(): string {
  return join(folder, 'tickets.journal');
}

async function begin(store: MemoryTicketStore, kind: 'write' | 'read' = 'write'): Promise<TicketLease> {
  const changes = { offsetBytes: 0, lengthBytes: 1000 };
  const permit = await store.authorize('id-1', kind);
  return permit.begin(kind, new AbortController(), kind === 'write' ? { changes } : {});
}

function block(offsetBytes: number): { offsetBytes: number; lengthBytes: number } {
  return { offsetBytes, lengthBytes: blockBytes };
}

function openToOthers(): void {
  chmodSync(path(), 0o640);
}

function replaceByLink(): void {
  renameSync(path(), `${path()}.o`);
  symlinkSync(`${path()}.o`, path());
}

function replaceByGarbage(): void {
  writeFileSync(path(), Buffer.from([0xff, 0, 10, 0xfe]));
}

const done = async (): Promise<void> => undefined;

describe('a journal of tickets', () => {
  test('gives the next process what the tickets were, when the one before ends in order', async () => {
    const first = await start();
    await first.store.add(ticketDefinition({ size: 2n ** 64n }));
    const lease = await begin(first.store);
    await lease.change(block(0), done);
    await lease.flush(done);
    await lease.change(block(500), done);
    lease.end();
    clock.advance(100);
    await first.journal.onApplicationShutdown();
    clock.advance(50);
    const { store, journal } = await start();
    const info = await store.info('id-1');
    assert.equal(journal.restored, 1);
    assert.deepEqual(
      [info.size, info.transferredBytes, info.expiresSeconds, info.idleSeconds, info.active],
      [2n ** 64n, 20, 1300, 150, false],
    );
    const received = store.ticket('id-1')?.received;
    assert.deepEqual([received?.durableBytes, received?.receivedBytes], [10, 10]);
    assert.ok(logLines.some((line) => line.includes('"msg":"1 tickets restored"')));
    clock.advance(200);
    await assert.rejects(store.authorize('id-1', 'write'), /Ticket expired/);
  });

  test('has a ticket, its extension and its removal when they are acknowledged, not only later', async () => {
    const { store } = await start();
    await store.add(ticketDefinition());
    const added = await start();
    assert.equal((await added.store.info('id-1')).expiresSeconds, 1300);
    await added.store.extend('id-1', 5000);
    const extended = await start();
    assert.equal((await extended.store.info('id-1')).expiresSeconds, 6000);
    await extended.store.remove('id-1');
    assert.equal((await start()).store.ticket('id-1'), undefined);
  });

  test('keeps a ticket cancelled whose removal waits for an operation', async () => {
    const { store, journal } = await start();
    await store.add(ticketDefinition());
    const lease = await begin(store);
    await assert.rejects(store.remove('id-1'), /Timeout cancelling/);
    await journal.written();
    const next = await start();
    await assert.rejects(next.store.authorize('id-1', 'write'), /Ticket was canceled/);
    lease.end();
  });

  test('takes back that bytes are durable before they change', async () => {
    const { store, journal } = await start();
    await store.add(ticketDefinition());
    const lease = await begin(store);
    await lease.change(block(0), done);
    await lease.flush(done);
    await journal.written();
    let during: string | undefined;
    await lease.change(block(5), async () => {
      during = readFileSync(path(), 'utf8');
    });
    assert.deepEqual(replayJournal(during ?? '', bootId).tickets[0]?.received.durable, [[0, 5, false]]);
    lease.end();
  });

  test('is its owner’s alone', async () => {
    const { store } = await start();
    await store.add(ticketDefinition());
    assert.equal(statSync(path()).mode & 0o777, 0o600);
  });

  for (const [what, spoil, problem] of [
    ['is open to others', openToOthers, /others than its owner may use it/],
    ['is a link', replaceByLink, /it is a link/],
    ['is no text', replaceByGarbage, /first line is damaged/],
  ] as const) {
    test(`is not believed when it ${what}, which one line of the log says, and made anew`, async () => {
      const { store } = await start();
      await store.add(ticketDefinition());
      spoil();
      logLines = [];
      const next = await start();
      assert.equal(next.journal.restored, 0);
      assert.equal(logLines.length, 1);
      assert.match(logLines[0] ?? '', problem);
      await next.store.add(ticketDefinition());
      assert.equal((await start()).journal.restored, 1);
    });
  }

  test('is not believed when it belongs to another user, or to another boot', async () => {
    const { store } = await start();
    await store.add(ticketDefinition());
    assert.equal((await start([4_000_000_000])).journal.restored, 0);
    assert.match(logLines.at(-1) ?? '', /it belongs to user/);
    await (await start()).store.add(ticketDefinition());
    assert.equal((await start(undefined, 'c'.repeat(32))).journal.restored, 0);
    assert.match(logLines.at(-1) ?? '', /the host was booted since/);
  });

  test('that cannot be written is removed, so that no removed ticket comes back', async () => {
    const { store, journal } = await start();
    await store.add(ticketDefinition());
    await store.add(ticketDefinition({ id: 'two' }));
    // What is to be written next cannot take its place.
    mkdirSync(`${path()}.new`);
    mkdirSync(join(`${path()}.new`, 'in the way'));
    const many = Array.from({ length: 50 }, (_, index) => `${index}-${'x'.repeat(60_000)}`);
    for (const url of many) await store.add(ticketDefinition({ url }));
    await store.remove('two');
    assert.ok(logLines.some((line) => line.includes('Tickets are not kept for a restart')));
    assert.throws(() => statSync(path()), { code: 'ENOENT' });
    rmSync(`${path()}.new`, { recursive: true });
    await journal.onApplicationShutdown();
    assert.ok(statSync(path()).isFile());
    const ids = Array.from((await start()).store.all(), ({ definition }) => definition.id);
    assert.ok(!ids.includes('two'));
  });
});

test('a killed process leaves no removed ticket, and calls no byte durable that is not', async () => {
  const random = new SeededRandom(15);
  const { store } = await start();
  for (let round = 0; round < 300; round++) {
    const isThere = store.ticket('id-1') !== undefined;
    if (!isThere) await store.add(ticketDefinition());
    const lease = await begin(store);
    const flushed = new RangeSet();
    for (let step = 0; step < 4; step++) {
      await lease.change(block(random.below(90) * blockBytes), done);
      if (random.below(3) === 0) await lease.flush(done);
    }
    lease.end();
    const { durable } = store.ticket('id-1')?.received.snapshot() ?? { durable: [] };
    for (const [offset, length] of durable) flushed.add(offset, offset + length);
    const isRemoved = random.below(4) === 0;
    if (isRemoved) await store.remove('id-1');
    const [left] = replayJournal(readFileSync(path(), 'utf8'), bootId).tickets;
    assert.ok(!isRemoved || left === undefined);
    for (const [offset, length] of left?.received.durable ?? [])
      assert.deepEqual(flushed.gaps(offset, offset + length), []);
  }
});
