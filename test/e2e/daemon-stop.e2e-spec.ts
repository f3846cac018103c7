import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { within } from '../support/deadline.js';
import type { RawSocket } from '../support/raw-socket.js';
import { DaemonUnderTest, type ImageTicket } from './daemon-under-test.js';
import { parseAnswer, parseAnswers, requestBytes } from './raw-answers.js';

const largeBytes = 24 * MiB;
const half = Buffer.alloc(64 * 1024, 'x');

function stopping(fixture: DaemonUnderTest): Promise<true> {
  return fixture.daemon.program.waitForLine(
    (line) => (line.includes('"Stopping"') ? true : undefined),
    'the daemon to stop',
  );
}

async function beginUpload(fixture: DaemonUnderTest): Promise<{ ticket: ImageTicket; socket: RawSocket }> {
  const ticket = await fixture.addImage(2 * half.length);
  const socket = await fixture.connect();
  await socket.send(requestBytes('PUT', ticket.path, [`Content-Length: ${2 * half.length}`]));
  await socket.send(half);
  await fixture.ticketState(ticket, ({ active }) => active, 'the upload runs');
  return { ticket, socket };
}

async function beginDownload(fixture: DaemonUnderTest): Promise<RawSocket> {
  const ticket = await fixture.addImage(largeBytes, { ops: ['read'] });
  const socket = await fixture.connect();
  await socket.send(requestBytes('GET', ticket.path));
  await socket.readAtLeast(1);
  socket.pause();
  return socket;
}

function times<T>(count: number, work: () => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, work));
}

describe('a daemon that is asked to stop', () => {
  test('lets transfers end, refuses new requests, closes idle connections and exits with 0', async () => {
    await using fixture = await DaemonUnderTest.start({ limits: { grace_sec: 30 } });
    const uploads = await times(5, () => beginUpload(fixture));
    const downloads = await times(5, () => beginDownload(fixture));
    const idle = await times(50, () => fixture.connect('local'));
    fixture.daemon.program.signal('SIGTERM');
    await stopping(fixture);
    for (const socket of idle) assert.equal((await socket.readUntilClose()).length, 0);
    await assert.rejects(fixture.connect('local'));
    await assert.rejects(fixture.connect('remote'));
    for (const { ticket, socket } of uploads) {
      await socket.send(half);
      // The next request on a connection that was still busy.
      await socket.send(requestBytes('GET', ticket.path));
      const [upload, next] = parseAnswers(await socket.readUntilClose());
      assert.equal(upload!.status, 200);
      assert.ok((await fixture.contentOf(ticket)).equals(Buffer.alloc(2 * half.length, 'x')));
      assert.deepEqual([next!.status, next!.headers['connection']], [503, 'close']);
      assert.match(next!.headers['retry-after'] ?? '', /^\d+$/);
    }
    for (const socket of downloads) socket.resume();
    const exit = await within(fixture.daemon.program.exited, 'the exit');
    assert.equal(exit.code, 0);
    for (const socket of downloads) {
      assert.equal(parseAnswer(await socket.readUntilClose()).complete, true);
    }
  });

  test('cuts at the deadline what has not ended, and exits with 0', async () => {
    await using fixture = await DaemonUnderTest.start({ limits: { grace_sec: 0.5, retry_after_sec: 42 } });
    const uploads = await times(5, () => beginUpload(fixture));
    const downloads = await times(5, () => beginDownload(fixture));
    await fixture.daemon.stop();
    for (const { ticket, socket } of uploads) {
      const answer = parseAnswer(await socket.readUntilClose());
      assert.deepEqual([answer.status, answer.headers['connection']], [503, 'close']);
      assert.equal(answer.headers['retry-after'], '42');
      const content = await fixture.contentOf(ticket);
      assert.ok(content.subarray(half.length).equals(Buffer.alloc(half.length)));
    }
    for (const socket of downloads) {
      socket.resume();
      assert.equal(parseAnswer(await socket.readUntilClose()).complete, false);
    }
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`exits with 0 after ${signal} when nothing runs, and its control socket is gone`, async () => {
      await using fixture = await DaemonUnderTest.start();
      const control = fixture.daemon.address('control');
      assert.ok(control.kind === 'unix' && existsSync(control.path));
      await fixture.addImage(4);
      assert.deepEqual(await fixture.daemon.program.stop(signal), { code: 0, signal: null });
      assert.equal(existsSync(control.path), false);
    });
  }

  test('exits at once when it is asked again', async () => {
    await using fixture = await DaemonUnderTest.start({ limits: { grace_sec: 600 } });
    const { socket } = await beginUpload(fixture);
    fixture.daemon.program.signal('SIGTERM');
    await stopping(fixture);
    assert.equal(fixture.daemon.program.hasExited, false);
    assert.deepEqual(await fixture.daemon.program.stop('SIGTERM'), { code: 1, signal: null });
    await socket.readUntilClose();
  });
});

describe('a daemon that was killed', () => {
  test('starts again over its stale control socket, without tickets, and the upload is resumed', async () => {
    await using fixture = await DaemonUnderTest.start();
    const image = randomBytes(8 * MiB);
    const doneBytes = 3 * MiB;
    const ticket = await fixture.addImage(0, { size: image.length });
    await fixture.client().write(ticket.id, image.subarray(0, doneBytes), 0, true);
    const socket = await fixture.connect();
    const headers = [`Content-Length: ${image.length - doneBytes}`, `Content-Range: bytes ${doneBytes}-*/*`];
    await socket.send(requestBytes('PUT', ticket.path, headers));
    await socket.send(image.subarray(doneBytes, doneBytes + 2 * MiB));
    await fixture.ticketState(ticket, ({ transferred }) => transferred! > doneBytes, 'more is written');
    await fixture.daemon.program.kill();
    await socket.readUntilClose();
    const control = fixture.daemon.address('control');
    assert.ok(control.kind === 'unix' && existsSync(control.path));

    await fixture.restart();
    assert.deepEqual(await fixture.vdsm.listTickets(), []);
    const client = fixture.client();
    assert.equal((await client.request('GET', ticket.path)).status, 403);
    await fixture.vdsm.addTicket(ticket.document);
    await client.write(ticket.id, image.subarray(doneBytes), doneBytes, true);
    assert.ok((await fixture.contentOf(ticket)).equals(image));
  });
});
