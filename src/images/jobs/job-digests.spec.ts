import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConflictError, InvalidRequestError, NotFoundError, UnavailableError } from '../../base/errors.js';
import type { DigestRun } from '../checksum/block-digests.js';
import { Job } from './job.js';
import { JobDigests } from './job-digests.js';

const digestBytes = 31;
const blockSizeBytes = 1000;

/** Of 1024 bytes, a ticket has room for 16 digests. */
class Fixture {
  readonly #removals: ((id: string) => void)[] = [];
  readonly digests = new JobDigests(
    { jobDigestBytesMax: 1024 },
    { onRemoved: (listener) => this.#removals.push(listener) },
  );

  removeTicket(id: string): void {
    for (const listener of this.#removals) listener(id);
  }

  /** @param count of blocks, the last of which is shorter */
  begin(ticketId: string, count: number): Job {
    const job = new Job(1, 'digests');
    const range = { offsetBytes: 2 * blockSizeBytes, lengthBytes: count * blockSizeBytes - 1 };
    this.digests.begin(job, ticketId, { range, blockSizeBytes, digestBytes });
    return job;
  }

  async ended(job: Job): Promise<Job> {
    job.succeeded(undefined);
    await job.ended;
    return job;
  }
}

const blocks: readonly DigestRun[] = [
  { offsetBytes: 2000, blockBytes: 1000, count: 1, zero: false, digest: Buffer.alloc(digestBytes, 'a') },
  { offsetBytes: 3000, blockBytes: 1000, count: 2, zero: true, digest: Buffer.alloc(digestBytes, 'b') },
  { offsetBytes: 5000, blockBytes: 999, count: 1, zero: false, digest: Buffer.alloc(digestBytes, 'c') },
];

describe('the digests of jobs', () => {
  test('are told as they were computed, block by block', async () => {
    const fixture = new Fixture();
    const job = new Job(1, 'digests');
    const range = { offsetBytes: 2000, lengthBytes: 3999 };
    const table = fixture.digests.begin(job, 'a', { range, blockSizeBytes, digestBytes });
    for (const run of blocks) table.set(run);
    assert.throws(() => fixture.digests.find(job), ConflictError);
    await fixture.ended(job);
    const told = [...fixture.digests.find(job).runs()].map(({ digest, ...run }) => ({
      ...run,
      digest: Buffer.from(digest).toString(),
    }));
    const text = (letter: string): string => letter.repeat(digestBytes);
    assert.deepEqual(told, [
      { offsetBytes: 2000, blockBytes: 1000, count: 1, zero: false, digest: text('a') },
      { offsetBytes: 3000, blockBytes: 1000, count: 1, zero: true, digest: text('b') },
      { offsetBytes: 4000, blockBytes: 1000, count: 1, zero: true, digest: text('b') },
      { offsetBytes: 5000, blockBytes: 999, count: 1, zero: false, digest: text('c') },
    ]);
  });

  test('of a job that never has room are refused', () => {
    const fixture = new Fixture();
    assert.throws(() => fixture.begin('a', 17), InvalidRequestError);
    fixture.begin('a', 16);
  });

  test('make room for newer ones of their ticket, the oldest first and only as many as must', async () => {
    const fixture = new Fixture();
    const oldest = await fixture.ended(fixture.begin('a', 6));
    const older = await fixture.ended(fixture.begin('a', 6));
    fixture.begin('a', 6);
    assert.throws(() => fixture.digests.find(oldest), NotFoundError);
    fixture.digests.find(older);
    assert.equal(fixture.digests.bytes, 12 * (digestBytes + 1));
  });

  test('make no room while their job runs, nor for another ticket', async () => {
    const fixture = new Fixture();
    const ended = await fixture.ended(fixture.begin('a', 4));
    fixture.begin('a', 12);
    assert.throws(() => fixture.begin('a', 5), UnavailableError);
    fixture.digests.find(ended);
    fixture.begin('b', 16);
    assert.throws(() => fixture.begin('c', 1), UnavailableError);
    fixture.digests.find(ended);
    fixture.removeTicket('b');
    fixture.begin('c', 16);
  });

  test('go with a job that failed, one that is not listed any more, and their ticket', async () => {
    const fixture = new Fixture();
    const failed = fixture.begin('a', 1);
    failed.failed(new Error('no storage'));
    await failed.ended;
    assert.equal(fixture.digests.bytes, 0);
    const forgotten = await fixture.ended(fixture.begin('a', 1));
    forgotten.forget();
    await forgotten.forgotten;
    assert.equal(fixture.digests.bytes, 0);
    const removed = await fixture.ended(fixture.begin('a', 1));
    const reader = fixture.digests.find(removed).runs();
    fixture.removeTicket('a');
    assert.throws(() => reader.next(), NotFoundError);
    assert.equal(fixture.digests.bytes, 0);
  });
});
