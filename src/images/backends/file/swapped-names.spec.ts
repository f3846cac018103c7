import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';

import { NotAllowedError, ServiceError, StorageError } from '../../../base/errors.js';
import { AlignedMemory, pageBytes } from '../../buffers/aligned-memory.js';
import { FileSource } from './file-source.js';

/** At least as often each outcome is awaited that a swap may have. */
const outcomesWanted = 50;
const seed = 20261126;

/**
 * Puts one thing after the other in the place of a name, by rename, as fast as it can. It runs beside the
 * event loop, so that it meets all steps of opening.
 */
const swapper = `
  const { workerData, parentPort } = require('node:worker_threads');
  const fs = require('node:fs');
  const { name, things, seed, stopped } = workerData;
  const fresh = name + '.new';
  let random = seed;
  for (let round = 0; Atomics.load(stopped, 0) === 0; round += 1) {
    random = (Math.imul(random, 1103515245) + 12345) & 0x7fffffff;
    const [how, target] = things[(random >> 16) % things.length];
    // Renaming to another name of the same file does nothing, and leaves it.
    fs.rmSync(fresh, { force: true });
    fs[how](target, fresh);
    fs.renameSync(fresh, name);
    if (round === 0) parentPort.postMessage('begun');
  }
`;

/** What takes the place of the name: a link to it, or another name of it. */
type Thing = readonly ['symlinkSync' | 'linkSync', string];

let folder: string;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'imageio-swap-'));
  for (const name of ['good', 'bad']) {
    fs.mkdirSync(path.join(folder, name));
    fs.writeFileSync(path.join(folder, name, 'disk'), name.padEnd(pageBytes, '.'));
  }
});
afterEach(() => {
  fs.rmSync(folder, { recursive: true });
});

/**
 * Opens `name` again and again while `swapped` is swapped for `things`, until opening has often enough
 * succeeded and been refused. Asserts that each image that was opened is the good one.
 * @returns what it was refused with
 */
async function openWhileSwapping(
  name: string,
  swapped: string,
  things: readonly Thing[],
  allowedRoots: readonly string[] = [],
): Promise<readonly ServiceError[]> {
  const source = new FileSource({ warn: () => {}, threadCount: 4, allowedRoots });
  const stopped = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(swapper, { eval: true, workerData: { name: swapped, things, seed, stopped } });
  const ended = once(worker, 'exit');
  const refusals: ServiceError[] = [];
  const memory = new AlignedMemory(pageBytes).allocate(pageBytes);
  try {
    await once(worker, 'message');
    for (let opened = 0; opened < outcomesWanted || refusals.length < outcomesWanted;) {
      try {
        const request = { url: `file://${name}`, writable: false, sparse: false, dirty: false };
        const backend = await source.open(request);
        const content = await backend.read(memory, { offsetBytes: 0, lengthBytes: 4 });
        await backend.close();
        assert.equal(Buffer.from(content).toString(), 'good', `with seed ${seed}`);
        opened += 1;
      } catch (error: unknown) {
        if (!(error instanceof ServiceError)) throw error;
        refusals.push(error);
      }
    }
  } finally {
    Atomics.store(stopped, 0, 1);
    await ended;
  }
  return refusals;
}

describe('a name that is swapped while it is opened', () => {
  it('for a way through the descriptors of this process leads to the good image or is refused', async () => {
    const secret = fs.openSync(path.join(folder, 'bad', 'disk'), 'r');
    fs.linkSync(path.join(folder, 'good', 'disk'), path.join(folder, 'good', String(secret)));
    const swapped = path.join(folder, 'way');
    const things: Thing[] = [
      ['symlinkSync', 'good'],
      ['symlinkSync', '/proc/self/fd'],
    ];
    const refusals = await openWhileSwapping(path.join(swapped, String(secret)), swapped, things);
    fs.closeSync(secret);
    for (const error of refusals) assert.ok(error instanceof NotAllowedError, String(error));
  });

  it('for a link out of the allowed roots leads to the good image or is refused', async () => {
    const swapped = path.join(folder, 'good', 'swapped');
    const things: Thing[] = [
      ['symlinkSync', 'disk'],
      ['symlinkSync', '../bad/disk'],
    ];
    const refusals = await openWhileSwapping(swapped, swapped, things, [path.join(folder, 'good')]);
    for (const error of refusals) assert.ok(error instanceof NotAllowedError, String(error));
  });

  it('for a FIFO neither hangs nor opens it', async () => {
    const fifo = path.join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const swapped = path.join(folder, 'swapped');
    const things: Thing[] = [
      ['linkSync', path.join(folder, 'good', 'disk')],
      ['linkSync', fifo],
    ];
    const refusals = await openWhileSwapping(swapped, swapped, things);
    for (const error of refusals) {
      assert.ok(error instanceof StorageError);
      assert.match(error.message, /neither a regular file nor a block device/);
    }
  });
});
