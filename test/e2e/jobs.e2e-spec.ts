import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { missing, waitForFile, Workspace } from '../nbd/servers.js';
import type { ImagesClient } from '../support/client.js';
import { eventually } from '../support/deadline.js';
import type { Answer } from '../support/exchange.js';
import type { ImageTicket } from './daemon-under-test.js';
import { describeWire, type Wire } from './wire-under-test.js';

interface Job {
  readonly id: number;
  readonly kind: string;
  readonly state: string;
  readonly done: number;
  readonly total: number;
  readonly result?: object;
  readonly problem?: { readonly type: string; readonly status: number };
}

const zeroAll = (sizeBytes: number): string => JSON.stringify({ op: 'zero', size: sizeBytes, flush: true });
const flush = '{"op":"flush"}';

/** One client that has work done as jobs. */
class JobsClient {
  constructor(private readonly client: ImagesClient) {}

  ask(method: string, path: string, body?: string): Promise<Answer> {
    return this.client.request(method, path, {
      headers: { Prefer: 'respond-async' },
      ...(body === undefined ? {} : { body }),
    });
  }

  /** Begins a job. @returns its path */
  async begin(method: string, path: string, body?: string): Promise<string> {
    const answer = await this.ask(method, path, body);
    assert.equal(answer.status, 202, answer.text);
    return answer.headers.location ?? '';
  }

  async job(path: string): Promise<Job> {
    const answer = await this.client.request('GET', path);
    assert.equal(answer.status, 200, answer.text);
    return JSON.parse(answer.text) as Job;
  }

  /** Resolves once the job has ended. */
  ended(path: string): Promise<Job> {
    return eventually(async () => {
      const job = await this.job(path);
      return job.state === 'running' ? undefined : job;
    }, `the end of ${path}`);
  }

  async list({ path }: ImageTicket): Promise<readonly Job[]> {
    const answer = await this.client.request('GET', `${path}/jobs`);
    assert.equal(answer.status, 200, answer.text);
    return JSON.parse(answer.text) as Job[];
  }

  async statusOf(method: string, path: string): Promise<number> {
    return (await this.client.request(method, path)).status;
  }
}

/** An NBD server whose reads and zeroes do not end before the gate is opened. */
class GatedStorage {
  static readonly sizeBytes = 4 * MiB;

  private constructor(
    readonly url: string,
    private readonly gate: string,
  ) {}

  static async start(workspace: Workspace): Promise<GatedStorage> {
    const gate = workspace.path(`${randomUUID()}.open`);
    const wait = waitForFile(gate);
    const server = await workspace.nbdkit(
      'eval',
      'thread_model=echo parallel',
      `get_size=echo ${GatedStorage.sizeBytes}`,
      `pread=${wait}; head -c $3 /dev/zero`,
      'pwrite=cat > /dev/null',
      'can_write=exit 0',
      'can_flush=exit 0',
      'can_zero=exit 0',
      `zero=${wait}`,
      'flush=exit 0',
    );
    return new GatedStorage(server.url, gate);
  }

  open(): Promise<void> {
    return writeFile(this.gate, 'open');
  }
}

const jobsMax = 3;
/** A ticket may have half of the pool. */
const roomForDigests = 16;
const digestBytes = 32 + 1;
const configuration = {
  limits: { jobs_per_ticket: jobsMax, job_digest_bytes: 2 * roomForDigests * digestBytes },
  control: { remove_timeout: 1 },
};

describeWire('work that is done as a job', { configuration }, (wire) => {
  const jobs = (): JobsClient => new JobsClient(wire.client());

  test('is answered at once, and its result is what the answer would have been', async () => {
    const image = await wire.addImage(randomBytes(3 * MiB));
    const client = jobs();
    const answer = await client.ask('GET', `${image.path}/checksum`);
    assert.equal(answer.status, 202, answer.text);
    assert.equal(answer.headers.location, `${image.path}/jobs/1`);
    assert.equal(answer.headers['preference-applied'], 'respond-async');
    const { id, kind } = JSON.parse(answer.text) as Job;
    assert.deepEqual([id, kind], [1, 'checksum']);
    const { state, result, done, total } = await client.ended(`${image.path}/jobs/1`);
    const waited = await wire.client().request('GET', `${image.path}/checksum`);
    assert.equal(waited.status, 200);
    assert.deepEqual([state, result], ['done', JSON.parse(waited.text)]);
    assert.deepEqual([done, total], [3 * MiB, 3 * MiB]);
  });

  test('zeroes and flushes', async () => {
    const image = await wire.addImage(randomBytes(MiB));
    const client = jobs();
    const zeroing = await client.begin('PATCH', image.path, zeroAll(MiB));
    const zeroed = await client.ended(zeroing);
    assert.deepEqual([zeroed.state, zeroed.kind, zeroed.done, zeroed.total], ['done', 'zero', MiB, MiB]);
    assert.ok((await wire.contentOf(image)).equals(Buffer.alloc(MiB)));
    const flushed = await client.ended(await client.begin('PATCH', image.path, flush));
    assert.deepEqual([flushed.state, flushed.kind, flushed.total], ['done', 'flush', 0]);
    assert.deepEqual(
      (await client.list(image)).map(({ id, kind, state }) => [id, kind, state]),
      [
        [1, 'zero', 'done'],
        [2, 'flush', 'done'],
      ],
    );
  });

  test('keeps digests of blocks, which are asked for when it is done', async () => {
    const image = await wire.addImage(Buffer.concat([randomBytes(3 * MiB), Buffer.alloc(2 * MiB)]));
    const client = jobs();
    const query = `algorithm=sha256&block_size=${MiB}&start=${MiB}&length=${3.5 * MiB}`;
    const path = await client.begin('GET', `${image.path}/digests?${query}`);
    const { kind, state, done, total, result } = await client.ended(path);
    assert.deepEqual([kind, state, done, total], ['digests', 'done', 3.5 * MiB, 3.5 * MiB]);
    const named = { algorithm: 'sha256', block_size: MiB, start: MiB, length: 3.5 * MiB };
    assert.deepEqual(result, { ...named, count: 4 });
    for (const Accept of ['application/json', 'application/x-ndjson']) {
      const kept = await wire.client().request('GET', `${path}/digests`, { headers: { Accept } });
      const told = await wire
        .client()
        .request('GET', `${image.path}/digests?${query}`, { headers: { Accept } });
      assert.deepEqual([kept.status, kept.headers['content-type'], kept.text], [200, Accept, told.text]);
    }
    await client.ended(await client.begin('PATCH', image.path, flush));
    assert.equal(await client.statusOf('GET', `${image.path}/jobs/2/digests`), 404);
    await wire.vdsm.removeTicket(image.id);
    assert.equal(await client.statusOf('GET', `${path}/digests`), 403);
    await wire.vdsm.addTicket(image.document);
    assert.equal(await client.statusOf('GET', `${path}/digests`), 404);
  });

  test('has digests of the newest jobs, as many as there is room for, and never more', async () => {
    const size = roomForDigests * MiB;
    const image = await wire.addImage(size);
    const client = jobs();
    const digests = (query: string): string => `${image.path}/digests?algorithm=sha256&${query}`;
    const large = await wire.addImage(size + MiB);
    const refused = await client.ask('GET', `${large.path}/digests?algorithm=sha256&block_size=${MiB}`);
    assert.equal(refused.status, 400, refused.text);
    assert.match(refused.text, /ask for larger blocks or for a part/);
    assert.deepEqual(await client.list(large), []);
    const older = await client.begin('GET', digests(`block_size=${MiB}`));
    await client.ended(older);
    assert.equal(await client.statusOf('GET', `${older}/digests`), 200);
    const newer = await client.begin('GET', digests(`block_size=${MiB}&length=1`));
    await client.ended(newer);
    assert.equal(await client.statusOf('GET', `${older}/digests`), 404);
    assert.equal(await client.statusOf('GET', `${newer}/digests`), 200);
    assert.equal((await client.job(older)).state, 'done');
    await wire.vdsm.removeTicket(image.id);
  });

  test('is refused as ever, before it becomes a job', async () => {
    const image = await wire.addImage(MiB, { ops: ['read'] });
    const writable = await wire.addImage(MiB);
    const absent = await wire.addImage(undefined, { size: MiB });
    const client = jobs();
    const statuses = [
      await client.ask('GET', `${image.path}/checksum?algorithm=none`),
      await client.ask('GET', `${image.path}/digests?start=1`),
      await client.ask('GET', `${image.path}/digests?length=${2 * MiB}`),
      await client.ask('PATCH', image.path, flush),
      await client.ask('PATCH', writable.path, zeroAll(MiB + 1)),
      await client.ask('PATCH', writable.path, '{"op":"zero"}'),
      await client.ask('GET', `${absent.path}/checksum`),
      await client.ask('GET', `${await wire.addUnknownImage()}/checksum`),
    ].map(({ status }) => status);
    assert.deepEqual(statuses, [400, 400, 416, 403, 416, 400, 500, 403]);
    for (const { path } of [image, writable, absent]) {
      const answer = await wire.client().request('GET', `${path}/jobs`);
      assert.deepEqual([answer.status, answer.text], [200, '[]']);
    }
  });

  test('has a number, and others have none', async () => {
    const image = await wire.addImage(MiB);
    const client = jobs();
    assert.equal(await client.statusOf('GET', `${image.path}/jobs/1`), 404);
    assert.equal(await client.statusOf('DELETE', `${image.path}/jobs/1`), 404);
    assert.equal(await client.statusOf('DELETE', `${image.path}/jobs`), 405);
    // No number of a job, so part of an id that no ticket has.
    assert.notEqual(await client.statusOf('GET', `${image.path}/jobs/one`), 200);
  });

  test('is kept to be looked at until others need its place, and is gone with its ticket', async () => {
    const image = await wire.addImage(MiB);
    const client = jobs();
    for (let count = 0; count <= jobsMax; count += 1)
      await client.ended(await client.begin('PATCH', image.path, flush));
    assert.deepEqual(
      (await client.list(image)).map(({ id }) => id),
      [2, 3, 4],
    );
    assert.equal(await client.statusOf('GET', `${image.path}/jobs/1`), 404);
    await wire.vdsm.removeTicket(image.id);
    assert.equal(await client.statusOf('GET', `${image.path}/jobs/4`), 403);
    await wire.vdsm.addTicket(image.document);
    assert.deepEqual(await client.list(image), []);
  });

  describe('on slow storage', { skip: missing('nbdkit') }, () => {
    let workspace: Workspace;
    before(async () => {
      workspace = await Workspace.create();
    });
    after(async () => {
      await workspace[Symbol.asyncDispose]();
    });
    const gated = async (): Promise<{ storage: GatedStorage; image: ImageTicket }> => {
      const storage = await GatedStorage.start(workspace);
      const image = await wire.addImage(undefined, { url: storage.url, size: GatedStorage.sizeBytes });
      return { storage, image };
    };

    goesOn(wire, gated);
    stops(wire, gated);
  });
});

type Gated = () => Promise<{ storage: GatedStorage; image: ImageTicket }>;

function goesOn(wire: Wire, gated: Gated): void {
  test('goes on when its client leaves, and keeps its ticket active', async () => {
    const { storage, image } = await gated();
    const leaving = wire.client();
    const job = await new JobsClient(leaving).begin('PATCH', image.path, zeroAll(GatedStorage.sizeBytes));
    leaving.close();
    assert.equal((await wire.vdsm.getTicket(image.id)).active, true);
    const client = new JobsClient(wire.client());
    assert.equal((await client.job(job)).state, 'running');
    await storage.open();
    assert.equal((await client.ended(job)).state, 'done');
    await wire.ticketState(image, ({ active }) => !active, 'no job runs');
  });

  test('tells by events how far it is and how it ended, and its stream ends then', async () => {
    const { storage, image } = await gated();
    const client = wire.client();
    const job = await new JobsClient(client).begin('PATCH', image.path, zeroAll(GatedStorage.sizeBytes));
    const events = client.request('GET', `${job}/events`);
    // While it is followed it goes on like any other.
    assert.equal((await new JobsClient(wire.client()).job(job)).state, 'running');
    await storage.open();
    const { status, headers, text } = await events;
    assert.deepEqual([status, headers['content-type']], [200, 'text/event-stream']);
    const names = [...text.matchAll(/^event: (.*)$/gm)].map(([, name]) => name);
    assert.deepEqual([names[0], names.at(-1)], ['progress', 'done']);
    const [last = '{}'] = [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => data ?? '').slice(-1);
    assert.equal((JSON.parse(last) as Job).done, GatedStorage.sizeBytes);
    assert.equal((await client.request('GET', `${image.path}/jobs/9/events`)).status, 404);
  });

  test('has no digests before it is done, and makes no room of those that run', async () => {
    const { storage, image } = await gated();
    const client = new JobsClient(wire.client());
    const path = await client.begin('GET', `${image.path}/digests?block_size=${MiB}`);
    assert.equal(await client.statusOf('GET', `${path}/digests`), 409);
    const others: string[] = [];
    for (let count = 0; count < 2; count += 1)
      others.push(await client.begin('GET', `${image.path}/digests?block_size=${MiB}`));
    assert.equal(await client.statusOf('DELETE', others[0] ?? ''), 204);
    assert.equal(await client.statusOf('GET', `${others[0]}/digests`), 404);
    await storage.open();
    assert.equal((await client.ended(path)).state, 'done');
    assert.equal(await client.statusOf('GET', `${path}/digests`), 200);
    assert.equal((await client.ended(others[1] ?? '')).state, 'done');
    await wire.vdsm.removeTicket(image.id);
  });

  test('is refused when as many jobs run as may', async () => {
    const { storage, image } = await gated();
    const client = new JobsClient(wire.client());
    const running: string[] = [];
    for (let count = 0; count < jobsMax; count += 1)
      running.push(await client.begin('GET', `${image.path}/checksum`));
    const refused = await client.ask('GET', `${image.path}/checksum`);
    assert.equal(refused.status, 503, refused.text);
    assert.ok(Number(refused.headers['retry-after']) > 0);
    await storage.open();
    for (const job of running) assert.equal((await client.ended(job)).state, 'done');
    await client.begin('PATCH', image.path, flush);
  });
}

function stops(wire: Wire, gated: Gated): void {
  test('is cancelled by a DELETE, which reads need not be waited for', async () => {
    const { image } = await gated();
    const client = new JobsClient(wire.client());
    const job = await client.begin('GET', `${image.path}/checksum`);
    assert.equal(await client.statusOf('DELETE', job), 204);
    const { state, problem } = await client.job(job);
    assert.deepEqual([state, problem?.status], ['cancelled', 409]);
    assert.equal((await wire.vdsm.getTicket(image.id)).active, false);
    assert.equal(await client.statusOf('DELETE', job), 204);
  });

  test('is not cancelled before storage has let go of what it changes', async () => {
    const { storage, image } = await gated();
    const client = new JobsClient(wire.client());
    const job = await client.begin('PATCH', image.path, zeroAll(GatedStorage.sizeBytes));
    assert.equal(await client.statusOf('DELETE', job), 409);
    assert.equal((await client.job(job)).state, 'running');
    await storage.open();
    assert.equal((await client.ended(job)).state, 'cancelled');
    assert.equal(await client.statusOf('DELETE', job), 204);
  });

  test('is waited for by whoever removes its ticket', async () => {
    const { storage, image } = await gated();
    await new JobsClient(wire.client()).begin('PATCH', image.path, zeroAll(GatedStorage.sizeBytes));
    assert.equal((await wire.vdsm.request('DELETE', `/tickets/${image.id}`)).status, 409);
    await storage.open();
    await wire.ticketState(image, ({ active }) => !active, 'no job runs');
    assert.equal((await wire.vdsm.request('DELETE', `/tickets/${image.id}`)).status, 204);
  });

  test('ends with the time of its ticket', async () => {
    const { image } = await gated();
    const client = new JobsClient(wire.client());
    const job = await client.begin('GET', `${image.path}/checksum`);
    await wire.vdsm.extendTicket(image.id, 0);
    await wire.ticketState(image, ({ active }) => !active, 'no job runs');
    await wire.vdsm.extendTicket(image.id, 300);
    const { state, problem } = await client.job(job);
    assert.deepEqual([state, problem?.status], ['cancelled', 403]);
  });
}
