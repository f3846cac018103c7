import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { KiB, MiB, type ByteRange } from '../../src/base/units.js';
import type { ImagesClient } from '../support/client.js';
import type { Answer } from '../support/exchange.js';
import { DaemonUnderTest, type ImageTicket } from './daemon-under-test.js';
import { allWireRoutes, describeWire } from './wire-under-test.js';

const wanting = { 'Want-Content-Digest': 'sha-256=10' };

function digestOf(data: Uint8Array, algorithm: 'sha-256' | 'sha-512' = 'sha-256'): string {
  return `${algorithm}=:${createHash(algorithm.replace('-', '')).update(data).digest('base64')}:`;
}

const rangeOf = ({ offsetBytes, lengthBytes }: ByteRange): Record<string, string> => ({
  Range: `bytes=${offsetBytes}-${offsetBytes + lengthBytes - 1}`,
});

describeWire('Want-Content-Digest', { routes: allWireRoutes }, (wire) => {
  const content = randomBytes(9 * MiB + 13);
  let client: ImagesClient;
  let image: ImageTicket;
  before(async () => {
    client = wire.client();
    image = await wire.addImage(content, { ops: ['read'] });
  });

  const get = (headers: Record<string, string>, { path } = image): Promise<Answer> =>
    client.request('GET', path, { headers });

  for (const range of [
    { offsetBytes: 0, lengthBytes: 1 },
    { offsetBytes: 7, lengthBytes: 64 * KiB },
    { offsetBytes: 4097, lengthBytes: MiB },
    { offsetBytes: 511, lengthBytes: MiB + 1 },
    { offsetBytes: 12_345, lengthBytes: 8 * MiB },
    { offsetBytes: MiB + 13, lengthBytes: 8 * MiB },
  ]) {
    test(`tells that of ${range.lengthBytes} bytes at ${range.offsetBytes}`, async () => {
      const { status, headers, body } = await get({ ...wanting, ...rangeOf(range) });
      const part = content.subarray(range.offsetBytes, range.offsetBytes + range.lengthBytes);
      assert.equal(status, 206);
      assert.equal(headers['content-digest'], digestOf(part));
      assert.equal(headers['content-length'], String(range.lengthBytes));
      assert.ok(body.equals(part));
    });
  }

  test('is told by the algorithm that is preferred', async () => {
    const range = rangeOf({ offsetBytes: 0, lengthBytes: 100 });
    const { headers } = await get({ 'Want-Content-Digest': 'sha-256=1, sha-512=2, md5=10', ...range });
    assert.equal(headers['content-digest'], digestOf(content.subarray(0, 100), 'sha-512'));
  });

  test('is told of a whole image that is short, and of one of no bytes', async () => {
    for (const bytes of [randomBytes(5000), new Uint8Array()]) {
      const { status, headers, body } = await get(wanting, await wire.addImage(bytes, { ops: ['read'] }));
      assert.deepEqual([status, headers['content-digest']], [200, digestOf(bytes)]);
      assert.ok(body.equals(bytes));
    }
  });

  test('is not told of more than 8 MiB, nor in a head that has no body', async () => {
    const tooLong = await get({ ...wanting, ...rangeOf({ offsetBytes: 0, lengthBytes: 8 * MiB + 1 }) });
    assert.deepEqual([tooLong.status, tooLong.headers['content-digest']], [206, undefined]);
    assert.ok(tooLong.body.equals(content.subarray(0, 8 * MiB + 1)));
    const head = await client.request('HEAD', image.path, {
      headers: { ...wanting, ...rangeOf({ offsetBytes: 0, lengthBytes: 100 }) },
    });
    assert.deepEqual([head.status, head.headers['content-digest']], [206, undefined]);
  });

  test('is told to nobody who does not want it, or says so in a way that is not understood', async () => {
    for (const field of [undefined, 'md5=1', 'sha-256=0', 'sha-256', '?']) {
      const wish: Record<string, string> = field === undefined ? {} : { 'Want-Content-Digest': field };
      const { status, headers } = await get({ ...wish, Range: 'bytes=0-99' });
      assert.deepEqual([status, headers['content-digest']], [206, undefined], String(field));
    }
  });

  test('has a refusal as any other', async () => {
    const refused = await get({ ...wanting, ...rangeOf({ offsetBytes: content.length, lengthBytes: 1 }) });
    assert.deepEqual([refused.status, refused.headers['content-digest']], [416, undefined]);
  });

  test('is right for all of many at once', async () => {
    const ranges = Array.from({ length: 8 }, (_, index) => ({
      offsetBytes: index * 77_777,
      lengthBytes: 8 * MiB - index * 1000,
    }));
    await Promise.all(
      ranges.map(async (range) => {
        const { status, headers, body } = await get({ ...wanting, ...rangeOf(range) });
        assert.equal(status, 206);
        assert.equal(headers['content-digest'], digestOf(body));
      }),
    );
  });
});

describe('Want-Content-Digest within other limits', () => {
  const limits = { digest_range_bytes: 128 * KiB, digest_pool_bytes: MiB, buffer_bytes: 64 * KiB };

  test('is told up to what the operator says', async () => {
    await using fixture = await DaemonUnderTest.start({ limits });
    const content = randomBytes(MiB);
    const image = await fixture.addImage(content, { ops: ['read'] });
    const client = fixture.client();
    const told = async (lengthBytes: number): Promise<unknown> => {
      const range = rangeOf({ offsetBytes: 0, lengthBytes });
      const { headers } = await client.request('GET', image.path, { headers: { ...wanting, ...range } });
      return headers['content-digest'];
    };
    assert.equal(await told(128 * KiB), digestOf(content.subarray(0, 128 * KiB)));
    assert.equal(await told(128 * KiB + 1), undefined);
  });

  test('is told of nothing when the operator says so', async () => {
    await using fixture = await DaemonUnderTest.start({ limits: { digest_range_bytes: 0 } });
    const image = await fixture.addImage(4096, { ops: ['read'] });
    const headers = { ...wanting, Range: 'bytes=0-0' };
    const answer = await fixture.client().request('GET', image.path, { headers });
    assert.deepEqual([answer.status, answer.headers['content-digest']], [206, undefined]);
  });

  test('waits for memory while others have all of it', async () => {
    await using fixture = await DaemonUnderTest.start({ limits });
    const image = await fixture.addImage(randomBytes(MiB), { ops: ['read'] });
    const headers = { ...wanting, ...rangeOf({ offsetBytes: 0, lengthBytes: 128 * KiB }) };
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => fixture.client().request('GET', image.path, { headers })),
    );
    for (const { status, headers: answered, body } of answers) {
      assert.equal(status, 206);
      assert.equal(answered['content-digest'], digestOf(body));
    }
  });
});
