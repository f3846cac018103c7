import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { after, before, describe, test } from 'node:test';
import {
  type BlockDigest,
  ImageClient,
  ImageioError,
  IntegrityError,
  SessionsClient,
  TicketsClient,
  type Endpoint,
} from '#sdk';
import { MiB } from '../../src/base/units.js';
import { Deployment } from '../e2e/deployment.js';
import { CorruptingRelay } from '../support/corrupting-relay.js';
import { eventually } from '../support/deadline.js';
import { assertSameImage, writeRandomImage } from '../support/images.js';
import type { Service } from '../support/processes.js';

const imageBytes = 8 * MiB + 12_345;

function remote(service: Service): Endpoint {
  const address = service.address('remote');
  assert.ok(address.kind === 'tls');
  return { baseUrl: service.url, ca: address.ca };
}

function socket(service: Service, listener: 'local' | 'control'): Endpoint {
  const address = service.address(listener);
  assert.ok(address.kind === 'unix');
  return { baseUrl: 'http://localhost', socketPath: address.path };
}

const refusal = (status: number) => (error: unknown) => {
  assert.ok(error instanceof ImageioError);
  assert.equal(error.status, status);
  return true;
};

describe('the TypeScript client', () => {
  let deployment: Deployment;
  let source: string;
  let target: string;
  const ticketId = randomUUID();

  before(async () => {
    deployment = await Deployment.start();
    source = deployment.folder.file('source');
    target = deployment.folder.file('target');
    await writeRandomImage(source, imageBytes);
    await (await open(target, 'w')).close();
  });
  after(() => deployment[Symbol.asyncDispose]());

  test('adds, lists, shows and extends a ticket over the control socket', async () => {
    await using tickets = new TicketsClient(socket(deployment.daemon, 'control'));
    await tickets.put({
      uuid: ticketId,
      size: imageBytes,
      ops: ['write'],
      timeout: 300,
      url: `file://${target}`,
      transfer_id: 'sdk',
    });
    assert.deepEqual(
      (await tickets.list()).map(({ uuid }) => uuid),
      [ticketId],
    );
    const { expires, transferred } = await tickets.get(ticketId);
    assert.equal(transferred, 0);
    await tickets.extend(ticketId, 3000);
    assert.ok((await tickets.get(ticketId)).expires > expires);
    await assert.rejects(tickets.get('none'), refusal(404));
  });

  test('tells what can be done with an image, over TLS and over the local socket', async () => {
    for (const endpoint of [remote(deployment.daemon), socket(deployment.daemon, 'local')]) {
      await using image = new ImageClient(endpoint, ticketId);
      const { features, max_readers: readers } = await image.options();
      assert.deepEqual(features, ['checksum', 'extents', 'flush', 'zero']);
      assert.equal(readers, 8);
    }
  });

  test('uploads an image as a stream, range by range, and flushes', async () => {
    await using image = new ImageClient(remote(deployment.daemon), ticketId);
    const half = 4 * MiB;
    const ranges = [
      { offsetBytes: half, lengthBytes: imageBytes - half },
      { offsetBytes: 0, lengthBytes: half },
    ];
    await Promise.all(
      ranges.map((range) => {
        const { offsetBytes: start, lengthBytes } = range;
        const body = createReadStream(source, { start, end: start + lengthBytes - 1 });
        return image.upload(body, { ...range, flush: false });
      }),
    );
    await image.flush();
    await assertSameImage(target, source);
    assert.equal(await image.size(), imageBytes);
  });

  test('has uploads verified by their digest, of bytes or given for a stream', async () => {
    await using image = new ImageClient(remote(deployment.daemon), ticketId);
    await using file = await open(source);
    const { buffer: data } = await file.read(Buffer.alloc(MiB), 0, MiB, 0);
    const range = { offsetBytes: 0, lengthBytes: data.length, flush: false };
    for (const algorithm of ['sha-256', 'sha-512'] as const)
      await image.upload(data, { ...range, contentDigest: algorithm });
    const digest = createHash('sha256').update(data).digest();
    const contentDigest = { algorithm: 'sha-256', digest } as const;
    const stream = () => createReadStream(source, { end: data.length - 1 });
    await image.upload(stream(), { ...range, contentDigest });
    const other = Buffer.from(data);
    other[1000]! ^= 1;
    await assert.rejects(image.upload(other, { ...range, contentDigest }), refusal(400));
    await assert.rejects(image.upload(stream(), { ...range, contentDigest: 'sha-256' }), TypeError);
    await image.flush();
    await assertSameImage(target, source);
  });

  test('reads ranges that are proven to be what the service has read', async () => {
    await using image = new ImageClient(remote(deployment.daemon), ticketId);
    await using file = await open(source);
    for (const lengthBytes of [1, 5000, 8 * MiB]) {
      const { buffer: expected } = await file.read(Buffer.alloc(lengthBytes), 0, lengthBytes, 100);
      for (const algorithm of ['sha-256', 'sha-512'] as const)
        assert.ok(
          expected.equals(await image.readVerified({ offsetBytes: 100, lengthBytes }, { algorithm })),
        );
    }
    const tooLong = { offsetBytes: 0, lengthBytes: 8 * MiB + 1 };
    await assert.rejects(image.readVerified(tooLong), IntegrityError);
    await assert.rejects(image.readVerified({ offsetBytes: imageBytes, lengthBytes: 1 }), refusal(416));
  });

  test('tells of a bit that was flipped on the way', async () => {
    const { pki } = deployment;
    await using relay = await CorruptingRelay.start(
      await pki.issueHost('relay'),
      deployment.daemon.address('remote'),
    );
    const endpoint = { ...remote(deployment.daemon), baseUrl: relay.url };
    await using image = new ImageClient(endpoint, ticketId);
    const range = { offsetBytes: MiB, lengthBytes: 100_000 };
    relay.flipNext('answer', 50_000);
    await assert.rejects(image.readVerified(range), IntegrityError);
    const data = await image.readVerified(range);
    relay.flipNext('request', 50_000);
    await assert.rejects(image.upload(data, { ...range, contentDigest: 'sha-512' }), refusal(400));
    await image.upload(data, { ...range, contentDigest: 'sha-512' });
    await assertSameImage(target, source);
  });

  test('downloads an image as a stream, and a range of it', async () => {
    await using image = new ImageClient(remote(deployment.daemon), ticketId);
    const copy = deployment.folder.file('copy');
    await pipeline(await image.download(), createWriteStream(copy));
    await assertSameImage(copy, source);
    const part = await (await image.download({ offsetBytes: MiB, lengthBytes: 1000 })).toArray();
    await using file = await open(source);
    const { buffer } = await file.read(Buffer.alloc(1000), 0, 1000, MiB);
    assert.ok(Buffer.concat(part as Buffer[]).equals(buffer));
  });

  test('has work done as jobs, looks at them and cancels one', async () => {
    await using image = new ImageClient(remote(deployment.daemon), ticketId);
    const checksum = await image.beginChecksum('sha256');
    assert.ok('state' in checksum);
    const done = await eventually(async () => {
      const job = await image.job(checksum.id);
      return job.state === 'running' ? undefined : job;
    }, 'the checksum is computed');
    assert.deepEqual(done.result, await image.checksum('sha256'));
    const flush = await image.beginFlush();
    assert.equal(flush?.kind, 'flush');
    await image.cancelJob(flush.id);
    assert.equal((await image.jobs()).length, 2);
    await assert.rejects(image.job(3), refusal(404));
  });

  test('zeroes a range, which extents and the data show', async () => {
    await using image = new ImageClient(remote(deployment.daemon), ticketId);
    const range = { offsetBytes: 2 * MiB, lengthBytes: MiB };
    await image.zero(range, true);
    const [bytes] = (await (await image.download({ ...range, lengthBytes: 4096 })).toArray()) as Buffer[];
    assert.ok(bytes?.every((byte) => byte === 0));
    const extents = await image.extents();
    assert.equal(
      extents.reduce((sum, { length }) => sum + length, 0),
      imageBytes,
    );
    for (const part of [undefined, { offsetBytes: MiB, lengthBytes: 3 * MiB }]) {
      const { offsetBytes, lengthBytes } = part ?? { offsetBytes: 0, lengthBytes: imageBytes };
      let at = offsetBytes;
      for await (const page of image.extentPages({ limit: 1, ...(part && { range: part }) })) {
        assert.equal(page.length, 1);
        assert.equal(page[0]?.start, at);
        at += page[0].length;
      }
      assert.equal(at, offsetBytes + lengthBytes);
    }
    assert.match((await image.checksum('sha256')).checksum, /^[0-9a-f]{64}$/);
    const [first] = await image.digests('sha256');
    assert.equal(first?.start, 0);
  });

  test('hands out digests of a part one by one, and compares a checksum', async () => {
    await using image = new ImageClient(remote(deployment.daemon), ticketId);
    const options = { algorithm: 'sha256', blockSizeBytes: MiB };
    const whole = await image.digests(options);
    assert.equal(whole.length, Math.ceil(imageBytes / MiB));
    const part: BlockDigest[] = [];
    const range = { offsetBytes: 2 * MiB, lengthBytes: 3 * MiB };
    for await (const digest of image.eachDigest({ ...options, range })) part.push(digest);
    assert.deepEqual(part, whole.slice(2, 5));
    for await (const { start } of image.eachDigest(options)) {
      assert.equal(start, 0);
      break;
    }
    const { checksum } = await image.checksum(options);
    const outer = createHash('sha256');
    for (const { digest } of whole) outer.update(digest, 'hex');
    assert.equal(checksum, outer.digest('hex'));
    assert.deepEqual(await image.checksum({ ...options, expect: checksum }), await image.checksum(options));
    await assert.rejects(image.checksum({ ...options, expect: '00' }), refusal(409));
    const outside = { ...options, range: { offsetBytes: 64 * MiB, lengthBytes: 1 } };
    await assert.rejects(image.digests(outside), refusal(416));
  });

  test('tells beforehand what would fail', async () => {
    for (const endpoint of [remote(deployment.daemon), socket(deployment.daemon, 'local')]) {
      await using image = new ImageClient(endpoint, ticketId);
      assert.ok((await image.options()).extensions?.includes('preflight'));
      assert.equal((await image.preflight()).ok, true);
      const { ok, op, findings } = await image.preflight({ op: 'write', sizeBytes: imageBytes + 1 });
      assert.deepEqual([ok, op, findings[0]?.code], [false, 'write', 'size_exceeds_ticket']);
    }
  });

  test('refuses with the text of the service', async () => {
    await using image = new ImageClient(remote(deployment.daemon), ticketId);
    await assert.rejects(
      image.upload(randomBytes(10), { offsetBytes: imageBytes, lengthBytes: 10 }),
      /^ImageioError: .*ticket size.* \(status 416\)$/,
    );
    await assert.rejects(image.download({ offsetBytes: imageBytes, lengthBytes: 1 }), refusal(416));
    await using stranger = new ImageClient(remote(deployment.daemon), 'none');
    await assert.rejects(stranger.options(), refusal(403));
    await assert.rejects(stranger.size(), refusal(403));
  });

  test('moves data through the proxy in a session', async () => {
    await using sessions = new SessionsClient(remote(deployment.proxy));
    const session = await sessions.open(deployment.signTicket(ticketId));
    await using image = sessions.image(session, ticketId);
    const bytes = randomBytes(MiB);
    const range = { offsetBytes: 5 * MiB, lengthBytes: bytes.length };
    await image.upload(bytes, range);
    assert.ok(Buffer.concat((await (await image.download(range)).toArray()) as Buffer[]).equals(bytes));
    await sessions.delete(session.session_id);
    await assert.rejects(image.options(), refusal(403));
    await assert.rejects(sessions.open('bm8='), refusal(401));
  });

  test('removes the ticket, and the image is closed to clients', async () => {
    await using tickets = new TicketsClient(socket(deployment.daemon, 'control'));
    await tickets.remove(ticketId);
    await tickets.remove(ticketId);
    assert.deepEqual(await tickets.list(), []);
    await using image = new ImageClient(remote(deployment.daemon), ticketId);
    await assert.rejects(image.options(), refusal(403));
  });
});
