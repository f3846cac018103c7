import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ClientTimeoutError } from '../../base/errors.js';
import { KiB } from '../../base/units.js';
import { CoalescingWriter } from './coalescing-writer.js';
import { RelayBufferPool } from '../buffers/relay-buffer-pool.js';
import { UnreadDownload } from './unread-download.js';

const stallSeconds = 5;

/** A download of a ticket that has taken all that it may, with a clock and a client that the test moves. */
async function startDownload(t: TestContext) {
  const { mock } = t;
  const ended = new AbortController();
  const { signal } = ended;
  t.after(() => {
    ended.abort(new Error('The test has ended'));
  });
  let nowMs = 1000;
  mock.method(performance, 'now', () => nowMs);
  const limits = { totalBytes: 512 * KiB, perTicketBytes: 256 * KiB };
  const pool = new RelayBufferPool({ ...limits, waitSeconds: 10, stallSeconds });
  const loan = await pool.lend('ticket', signal);
  const pending: (() => void)[] = [];
  const sink = {
    write: (_data: Uint8Array, written: () => void) => pending.push(written) > 0,
    end: () => undefined,
    onClose: () => undefined,
  };
  const writer = new CoalescingWriter(sink, loan, () => undefined);
  const reasons: Error[] = [];
  const exchange = {
    request: new IncomingMessage(new Socket()),
    abort: (reason: Error) => void reasons.push(reason),
  };
  const unread = new UnreadDownload(exchange, writer, loan);
  return {
    reasons,
    /** A buffer for another request of the ticket. */
    wait: (): Promise<unknown> => pool.lend('ticket', signal).catch(() => undefined),
    send: async (): Promise<void> => {
      writer.write(Buffer.from('piece'));
      await nextTurn();
    },
    /** The client reads what was sent. */
    read: () => pending.shift()?.(),
    /** @returns whether the download ends */
    lookAfter: (seconds: number): boolean => {
      nowMs += seconds * 1000;
      return unread.giveWay();
    },
  };
}

describe('a download that keeps buffers from others', () => {
  test('ends when its client has read nothing for the time that it may', async (t) => {
    const download = await startDownload(t);
    await download.send();
    void download.wait();
    // Only now it is known what there is to read.
    assert.equal(download.lookAfter(60), false);
    assert.equal(download.lookAfter(1), false);
    assert.equal(download.lookAfter(stallSeconds - 0.001), false);
    assert.equal(download.reasons.length, 0);
    assert.equal(download.lookAfter(0.001), true);
    assert.ok(download.reasons.at(-1) instanceof ClientTimeoutError);
  });

  test('goes on while its client reads, however slowly', async (t) => {
    const download = await startDownload(t);
    void download.wait();
    for (let round = 0; round < 5; round++) {
      await download.send();
      assert.equal(download.lookAfter(stallSeconds - 1), false);
      download.read();
      await download.send();
      assert.equal(download.lookAfter(stallSeconds - 1), false);
    }
    assert.deepEqual(download.reasons, []);
  });

  test('goes on while it is the daemon that sends nothing', async (t) => {
    const download = await startDownload(t);
    void download.wait();
    for (let round = 0; round < 5; round++) assert.equal(download.lookAfter(stallSeconds), false);
    assert.deepEqual(download.reasons, []);
  });

  test('goes on when nobody waits any more who should have its buffers', async (t) => {
    const download = await startDownload(t);
    await download.send();
    for (let round = 0; round < 5; round++) assert.equal(download.lookAfter(stallSeconds), false);
    assert.deepEqual(download.reasons, []);
  });
});
