import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { KiB, MiB } from '../base/units.js';
import { CanaryServer } from './canary-server.js';
import { releaseMemory, releasingMemory } from './release-memory.js';

/** Sends 256 MiB through a socket. @returns the most memory that chunks held meanwhile, in bytes */
async function mostMemory(): Promise<number> {
  const service = createServer();
  await using server = await CanaryServer.open(service);
  const client = server.connect();
  const [socket] = (await once(service, 'connection')) as [Socket];
  const lengthBytes = 256 * MiB;
  let receivedBytes = 0;
  let most = 0;
  socket.on('data', (chunk: Buffer<ArrayBuffer>) => {
    receivedBytes += chunk.length;
    releaseMemory(chunk);
    most = Math.max(most, process.memoryUsage().arrayBuffers);
    if (receivedBytes === lengthBytes) socket.emit('received');
  });
  const piece = Buffer.alloc(MiB, 'piece');
  for (let sentBytes = 0; sentBytes < lengthBytes; sentBytes += MiB) {
    if (!client.write(piece)) await once(client, 'drain');
  }
  if (receivedBytes < lengthBytes) await once(socket, 'received');
  return most;
}

test('a released chunk holds no memory', async () => {
  assert.ok((await mostMemory()) < 16 * MiB);
});

test('a chunk that shares its memory is left alone', () => {
  const pooled = Buffer.from(new ArrayBuffer(64 * KiB), 8, 8);
  releaseMemory(pooled);
  assert.equal(pooled.length, 8);
});

test('without it chunks stay as they are', () => {
  releasingMemory.turnOff('test');
  const chunk = Buffer.from(new ArrayBuffer(64 * KiB));
  releaseMemory(chunk);
  assert.equal(chunk.length, 64 * KiB);
});
