import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { test } from 'node:test';
import { KiB, MiB } from '../../src/base/units.js';
import { imagePath } from '../support/client.js';
import { certificates } from './relay-certificates.js';
import { RelayUnderTest } from './relay-under-test.js';
import { ScriptedDaemon, type SeenRequest } from './scripted-daemon.js';
import { SeededRandom } from '../support/random.js';

const answersMin = 20_000;
const clientCount = 8;
const lengthBytesMax = 512 * KiB;

const { pki, daemon: identity } = await certificates();
const image = randomBytes(4 * MiB);
const random = new SeededRandom(randomInt(2 ** 32));

/** Answers with a range, in one piece or two, which may end anywhere. */
function sendRange({ request, response }: SeenRequest): void {
  const [, first = '', last = ''] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
  const part = image.subarray(Number(first), Number(last) + 1);
  response.writeHead(206, {
    'Content-Length': part.length,
    'Content-Range': `bytes ${first}-${last}/${image.length}`,
  });
  const firstPiece = part.subarray(0, 1 + random.below(part.length));
  if (random.below(2) === 0) response.end(part);
  else response.write(firstPiece, () => response.end(part.subarray(firstPiece.length)));
}

// Large ones are marked as complete in their middle, so that a byte too many or too few
// would be in a later answer.
test('20 000 answers of random lengths on kept connections arrive whole, while clients leave', async () => {
  await using daemon = await ScriptedDaemon.start(identity, (seen) => {
    sendRange(seen);
    // The list of what was seen would hold each of them.
    daemon.seen.length = 0;
  });
  await using relay = await RelayUnderTest.start(pki, { plainText: true });
  const path = imagePath(await relay.addTicket(daemon.origin, { ops: ['read'] }));
  let wholeCount = 0;
  let leftCount = 0;

  async function download(client: ReturnType<RelayUnderTest['client']>): Promise<void> {
    // As many small as large ones.
    const lengthBytes = Math.max(1, Math.floor(lengthBytesMax ** random.next()));
    const offset = random.below(image.length - lengthBytes + 1);
    const leavesAt = random.below(50) === 0 ? random.below(lengthBytes) : Infinity;
    const response = await client.open('GET', path, {
      headers: { Range: `bytes=${offset}-${offset + lengthBytes - 1}` },
    });
    let receivedBytes = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      const position = offset + receivedBytes;
      assert.ok(chunk.equals(image.subarray(position, position + chunk.length)), `bytes at ${position}`);
      receivedBytes += chunk.length;
      if (receivedBytes <= leavesAt) continue;
      leftCount += 1;
      // Leaving the loop ends the response.
      return;
    }
    assert.equal(receivedBytes, lengthBytes);
    wholeCount += 1;
  }

  await Promise.all(
    Array.from({ length: clientCount }, async () => {
      const client = relay.client({ connectionsMax: 1 });
      while (wholeCount < answersMin) await download(client);
    }),
  );
  assert.ok(leftCount > 100, `${leftCount} clients left`);
  // Each of those that left cost a connection at most.
  assert.ok(daemon.connectionCount <= clientCount + leftCount, `${daemon.connectionCount} connections`);
});
