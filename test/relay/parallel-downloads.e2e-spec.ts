import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { KiB, MiB } from '../../src/base/units.js';
import { imagePath } from '../support/client.js';
import { eventually } from '../support/deadline.js';
import { certificates } from './relay-certificates.js';
import { RelayUnderTest } from './relay-under-test.js';
import { ScriptedDaemon, type SeenRequest } from './scripted-daemon.js';

const { pki, daemon: identity } = await certificates();
const image = randomBytes(16 * MiB);
const clientCount = 24;
const downloadsEach = 15;

async function sendRange({ request, response }: SeenRequest): Promise<void> {
  const [, first = '', last = ''] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
  const part = image.subarray(Number(first), Number(last) + 1);
  response.writeHead(206, {
    'Content-Length': part.length,
    'Content-Range': `bytes ${first}-${last}/${image.length}`,
  });
  for (let offset = 0; offset < part.length;) {
    const piece = part.subarray(offset, offset + randomInt(1, 300 * KiB));
    offset += piece.length;
    response.write(piece);
    // Long enough for all to be sent on, at times.
    if (randomInt(4) === 0) await delay(1);
  }
  response.end();
}

describe('parallel downloads', () => {
  // Buffers go from one transfer to the next, also from those that were broken off.
  test('get each its own bytes, while some clients rest and others leave', async () => {
    await using daemon = await ScriptedDaemon.start(identity, (seen) => void sendRange(seen));
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin, { ops: ['read'] });
    let wholeCount = 0;

    async function download(client: ReturnType<RelayUnderTest['client']>): Promise<void> {
      // As many small as large ones.
      const lengthBytes = Math.round(KiB * 2 ** (randomInt(1200) / 100));
      const offset = randomInt(image.length - lengthBytes + 1);
      const rests = randomInt(3) === 0;
      const leavesAt = randomInt(6) === 0 ? randomInt(lengthBytes) : Infinity;
      const headers = { Range: `bytes=${offset}-${offset + lengthBytes - 1}` };
      const response = await client.open('GET', imagePath(id), { headers });
      let receivedBytes = 0;
      for await (const chunk of response as AsyncIterable<Buffer>) {
        const position = offset + receivedBytes;
        assert.ok(chunk.equals(image.subarray(position, position + chunk.length)), `at ${position}`);
        receivedBytes += chunk.length;
        // Leaving the loop ends the response.
        if (receivedBytes > leavesAt) return;
        if (rests && randomInt(20) === 0) await delay(randomInt(30));
      }
      assert.equal(receivedBytes, lengthBytes);
      wholeCount += 1;
    }

    const clients = Array.from({ length: clientCount }, async () => {
      const client = relay.client();
      for (let count = 0; count < downloadsEach; count++) await download(client);
    });
    await Promise.all(clients);
    assert.ok(wholeCount > (clientCount * downloadsEach) / 2);
    await eventually(async () => ((await relay.tickets.info(id)).active ? undefined : true), 'idle');
  });
});
