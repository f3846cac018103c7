import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { type Transfer, transferFully } from './file-calls.js';

/** A file that moves what the script says: so many bytes at most, or a failure. */
function scripted(steps: readonly (number | string)[], positions: number[]): Transfer {
  const remaining = [...steps];
  return async (view, positionBytes) => {
    positions.push(positionBytes);
    const step = remaining.shift() ?? 0;
    if (typeof step === 'string') {
      throw Object.assign(new Error(step), { code: step });
    }
    return Math.min(step, view.length);
  };
}

describe('transferFully', () => {
  it('goes on where a short transfer ended', async () => {
    const positions: number[] = [];
    assert.equal(await transferFully(scripted([3, 1, 100], positions), new Uint8Array(10), 1000), 10);
    assert.deepEqual(positions, [1000, 1003, 1004]);
  });

  it('ends early only when nothing more is moved', async () => {
    assert.equal(await transferFully(scripted([3, 0], []), new Uint8Array(10), 0), 3);
  });

  it('repeats what a signal interrupted', async () => {
    const positions: number[] = [];
    const moved = await transferFully(scripted(['EINTR', 4, 'EINTR', 6], positions), new Uint8Array(10), 0);
    assert.equal(moved, 10);
    assert.deepEqual(positions, [0, 0, 4, 4]);
  });

  it('fails with any other failure', async () => {
    await assert.rejects(transferFully(scripted([4, 'EIO'], []), new Uint8Array(10), 0), { code: 'EIO' });
  });
});
