import assert from 'node:assert/strict';
import { parentPort } from 'node:worker_threads';

import { type BlockHash, createBlockHash } from './block-hash.js';

/** What `HashWorkers` asks of this thread. Each `update` and `digest` is answered, in order for one lane. */
export type HashRequest =
  | { readonly kind: 'open'; readonly lane: number; readonly algorithm: string }
  | { readonly kind: 'update'; readonly lane: number; readonly data: Uint8Array }
  | { readonly kind: 'digest'; readonly lane: number }
  | { readonly kind: 'close'; readonly lane: number };

/** The answer: to `digest` the digest, to `update` nothing but that the memory was read. */
export interface HashReply {
  readonly lane: number;
  readonly digest?: Uint8Array;
}

const hashes = new Map<number, Promise<BlockHash>>();

assert.ok(parentPort !== null, 'this file runs as a worker thread');
const port = parentPort;

async function handle(request: HashRequest): Promise<void> {
  if (request.kind === 'open') {
    hashes.set(request.lane, createBlockHash(request.algorithm));
    return;
  }
  if (request.kind === 'close') {
    hashes.delete(request.lane);
    return;
  }
  // Waiters of one promise go on in the order in which they began to wait, so a lane's requests keep theirs.
  const hash = await hashes.get(request.lane);
  assert.ok(hash !== undefined, 'a lane is used that is not open');
  if (request.kind === 'update') {
    hash.update(request.data);
    port.postMessage({ lane: request.lane } satisfies HashReply);
  } else {
    port.postMessage({ lane: request.lane, digest: hash.digest() } satisfies HashReply);
  }
}

port.on('message', (request: HashRequest) => {
  void handle(request);
});
