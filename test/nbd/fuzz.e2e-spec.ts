import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';

import fc from 'fast-check';

import { StorageError } from '../../src/base/errors.js';
import type { Backend } from '../../src/images/backends/backend.js';
import { listExtents, openImage, readBytes } from './images.js';
import { type ClientRequest, ScriptedServer } from './scripted-server.js';
import { dataChunk, errorChunk, greeting, holeChunk, noneChunk, statusChunk } from './server-messages.js';
import { Workspace } from './servers.js';

const sizeBytes = 256 * 1024;
/** Far below the 4 GiB that a damaged length can announce, far above what the conversation needs. */
const arrayBuffersBytesMax = 256 * 1024 * 1024;
const requestsMax = 100;
const quietTurnsMax = 200;

/** A good server, which answers in several chunks where it may. */
function answer({ command, cookie, offsetBytes, lengthBytes }: ClientRequest): Buffer | undefined {
  if (command === 2) return undefined;
  if (command === 7) {
    return Buffer.concat([
      statusChunk(cookie, 5, [
        [4096, 0],
        [sizeBytes, 3],
      ]),
      statusChunk(cookie, 6, [[sizeBytes, 1]], true),
    ]);
  }
  if (command === 3) return errorChunk(cookie, 5, 'no flush today');
  if (command !== 0) return noneChunk(cookie);
  const half = lengthBytes >> 1;
  return Buffer.concat([
    dataChunk(cookie, offsetBytes + half, Buffer.alloc(lengthBytes - half, 7)),
    holeChunk(cookie, offsetBytes, half, true),
  ]);
}

/** Everything that a backend can ask of a server, at once. */
async function useAll(image: Backend): Promise<void> {
  const outcomes = await Promise.allSettled([
    readBytes(image, 0, 64 * 1024),
    readBytes(image, 4096, 100),
    image.write(new Uint8Array(5000), 100),
    image.zero({ offsetBytes: 0, lengthBytes: 4096 }, { sparse: true }),
    image.flush(),
    listExtents(image),
  ]);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected')
      assert.ok(outcome.reason instanceof StorageError, String(outcome.reason));
  }
}

/**
 * Opens the image, uses and closes it; whatever the server sends, all of it ends, and
 * only in StorageErrors.
 */
async function survive(url: string): Promise<void> {
  let image: Backend;
  try {
    image = await openImage(url);
  } catch (error: unknown) {
    assert.ok(error instanceof StorageError, String(error));
    return;
  }
  await useAll(image);
  await image.close();
}

/**
 * Runs `conversation` to its end. A damaged length may leave the client waiting for bytes, as it
 * should, of a server that has nothing more to say: when nothing has moved for many turns of the
 * event loop, the server hangs up.
 */
async function converse(
  server: ScriptedServer,
  traffic: () => number,
  conversation: Promise<void>,
): Promise<void> {
  const state = { ended: false };
  const ending = conversation.finally(() => (state.ended = true));
  ending.catch(() => undefined);
  let before = traffic();
  for (let quietTurns = 0; !state.ended; quietTurns += 1) {
    await setImmediate();
    if (traffic() !== before) quietTurns = 0;
    before = traffic();
    if (quietTurns === quietTurnsMax) {
      server.hangUp();
      quietTurns = 0;
    }
  }
  await ending;
}

/** How the bytes of a server are spoilt: each as a place from the beginning of the connection. */
interface Damage {
  readonly changes: readonly (readonly [at: number, value: number])[];
  /** The connection ends here. */
  readonly cutAt: number;
  readonly pieceBytes: number;
}

/** Sends bytes with damage, in pieces; after the cut, nothing. */
class Spoiler {
  #sentBytes = 0;

  constructor(private readonly damage: Damage) {}

  send(socket: Socket, bytes: Buffer): void {
    const spoilt = Buffer.from(bytes);
    for (const [at, value] of this.damage.changes) {
      const index = at - this.#sentBytes;
      if (index >= 0 && index < spoilt.length) spoilt[index] = value;
    }
    const keptBytes = Math.max(0, Math.min(spoilt.length, this.damage.cutAt - this.#sentBytes));
    this.#sentBytes += spoilt.length;
    for (let at = 0; at < keptBytes; at += this.damage.pieceBytes) {
      socket.write(spoilt.subarray(at, Math.min(at + this.damage.pieceBytes, keptBytes)));
    }
    if (keptBytes < spoilt.length) socket.end();
  }
}

describe('the NBD client', () => {
  test('survives damaged, cut and chopped bytes of a server', { timeout: 120_000 }, async () => {
    await using workspace = await Workspace.create();
    let damage: Damage;
    let traffic = 0;
    let requests = 0;
    let arrayBuffersPeakBytes = 0;
    const spoilers = new WeakMap<Socket, Spoiler>();
    await using server = await ScriptedServer.listen(workspace.path('sock'), {
      sizeBytes,
      contexts: { 'base:allocation': 5, 'qemu:allocation-depth': 6 },
      reply: (request, socket) => {
        requests += 1;
        // An image whose size was damaged may have extents without end.
        if (requests > requestsMax) socket.destroy();
        return answer(request);
      },
      send: (socket, bytes) => {
        traffic += 1;
        arrayBuffersPeakBytes = Math.max(arrayBuffersPeakBytes, process.memoryUsage().arrayBuffers);
        const spoiler = spoilers.get(socket) ?? new Spoiler(damage);
        spoilers.set(socket, spoiler);
        spoiler.send(socket, bytes);
      },
    });
    // Most of what matters is in the first bytes of the conversation; the rest is data.
    const place = fc.oneof(fc.nat(420), fc.nat(70_000));
    const change = fc.tuple(place, fc.integer({ min: 0, max: 255 }));
    const anyDamage = fc.record({
      changes: fc.array(change, { maxLength: 4 }),
      cutAt: fc.oneof(fc.constant(Infinity), place),
      pieceBytes: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.constant(sizeBytes)),
    });
    await fc.assert(
      fc.asyncProperty(anyDamage, async (nextDamage) => {
        damage = nextDamage;
        requests = 0;
        await converse(server, () => traffic, survive(server.url));
      }),
      { numRuns: 1500 },
    );
    assert.ok(arrayBuffersPeakBytes < arrayBuffersBytesMax, `${arrayBuffersPeakBytes} bytes`);
  });

  test(
    'survives arbitrary bytes, with and without a good greeting before them',
    { timeout: 60_000 },
    async () => {
      await using workspace = await Workspace.create();
      let noise: readonly Uint8Array[] = [];
      const noisy = createServer((socket) => {
        socket.on('error', () => socket.destroy());
        socket.resume();
        for (const piece of noise) socket.write(piece);
        socket.end();
      });
      noisy.listen(workspace.path('sock'));
      await once(noisy, 'listening');
      const pieces = fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 8 });
      await fc.assert(
        fc.asyncProperty(fc.boolean(), pieces, async (greets, bytes) => {
          noise = greets ? [greeting(), ...bytes] : bytes;
          await assert.rejects(openImage(`nbd:unix:${workspace.path('sock')}`), StorageError);
        }),
        { numRuns: 200 },
      );
      noisy.close();
    },
  );
});
