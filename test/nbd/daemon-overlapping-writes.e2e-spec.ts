import assert from 'node:assert/strict';
import { truncate, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';

import { KiB, MiB } from '../../src/base/units.js';
import { parseAnswer, requestBytes } from '../e2e/raw-answers.js';
import { imagePath } from '../support/client.js';
import type { RawSocket } from '../support/raw-socket.js';
import { NbdDaemon } from './nbd-daemon.js';
import { missing } from './servers.js';

const sizeBytes = 4 * MiB;
const older = Buffer.alloc(sizeBytes, 'older');
const newer = Buffer.alloc(sizeBytes, 'newer');
const sentBytes = 1.5 * MiB + 100;
const whole = { offsetBytes: 0, lengthBytes: sizeBytes };

describe('overlapping writes to an NBD server', { skip: missing('qemu-nbd', 'nbdkit') }, () => {
  let daemon: NbdDaemon;
  before(async () => {
    daemon = await NbdDaemon.start();
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
  });

  async function addImage(): Promise<string> {
    const file = daemon.workspace.path('disk');
    await writeFile(file, '');
    await truncate(file, sizeBytes);
    const { url } = await daemon.workspace.qemuNbd('--format=raw', file);
    return daemon.addTicket(url, sizeBytes, { sparse: true });
  }

  /** Sends a part of an upload of the whole image and waits until the daemon has begun with it. */
  async function beginUpload(id: string): Promise<RawSocket> {
    const socket = await daemon.fixture.connect();
    const head = [`Content-Length: ${sizeBytes}`, 'Connection: close'];
    await socket.send(requestBytes('PUT', imagePath(id), head));
    await socket.send(older.subarray(0, sentBytes));
    await daemon.ticketState(id, ({ connections }) => connections === 1, 'the upload has the image open');
    return socket;
  }

  test('an upload is not undone by an older one that stalls, goes on or is cut', async () => {
    const id = await addImage();
    const client = daemon.client();
    const [socket, cut] = [await beginUpload(id), await daemon.fixture.connect()];
    await cut.send(requestBytes('PUT', imagePath(id), [`Content-Length: ${sizeBytes}`], 'x'.repeat(5000)));
    await daemon.ticketState(id, ({ connections }) => connections === 2, 'both have the image open');
    await client.write(id, newer, 0);
    await cut.send(Buffer.alloc(MiB, 'x'));
    cut.close();
    await socket.send(older.subarray(sentBytes));
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 200);
    await daemon.ticketState(id, ({ active }) => !active, 'nothing runs');
    assert.ok((await client.read(id, whole)).equals(newer));
  });

  test('a zero with unaligned edges is not undone by an older upload', async () => {
    const id = await addImage();
    const client = daemon.client();
    const socket = await beginUpload(id);
    await client.zero(id, { offsetBytes: MiB + 5, lengthBytes: MiB });
    await socket.send(older.subarray(sentBytes));
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 200);
    const expected = Buffer.from(older).fill(0, MiB + 5, 2 * MiB + 5);
    assert.ok((await client.read(id, whole)).equals(expected));
  });

  test('what storage has not finished of an older request is there before a younger one begins', async () => {
    // Zeroes take their time, writes none: begun beside each other, the zero would be done last.
    const { url } = await daemon.workspace.nbdkit(
      ...['--filter=delay', 'memory', `${sizeBytes}`, 'delay-zero=2'],
    );
    const id = await daemon.addTicket(url, sizeBytes, { sparse: true });
    const [zeroing, writing] = [daemon.client(), daemon.client()];
    await writing.write(id, older, 0);
    const zeroed = zeroing.zero(id, { offsetBytes: 64 * KiB, lengthBytes: MiB });
    await daemon.ticketState(id, ({ active }) => active, 'the zero runs');
    await writing.write(id, newer.subarray(MiB, MiB + 100), MiB);
    await zeroed;
    const expected = Buffer.from(older).fill(0, 64 * KiB, MiB + 64 * KiB);
    newer.copy(expected, MiB, MiB, MiB + 100);
    assert.ok((await writing.read(id, whole)).equals(expected));
  });
});
