import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { before, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import type { ImagesClient } from '../support/client.js';
import type { Answer } from '../support/exchange.js';
import type { ImageTicket } from './daemon-under-test.js';
import { parseAnswer } from './raw-answers.js';
import { describeWire } from './wire-under-test.js';

/** The value of a `Content-Digest`. */
function digestOf(data: Uint8Array, algorithm: 'sha-256' | 'sha-512' = 'sha-256'): string {
  const hash = createHash(algorithm.replace('-', '')).update(data);
  return `${algorithm}=:${hash.digest('base64')}:`;
}

/** The same data but for one bit. */
function damaged(data: Buffer): Buffer {
  const copy = Buffer.from(data);
  const middle = copy.length >> 1;
  copy[middle] = (copy[middle] ?? 0) ^ 4;
  return copy;
}

/** What `/ranges` tells. */
interface Account {
  readonly generation: number;
  readonly received_bytes: number;
  readonly durable_bytes: number;
}

describeWire('the digest of an upload', {}, (wire) => {
  let client: ImagesClient;
  before(() => {
    client = wire.client();
  });

  const put = (image: ImageTicket, body: Buffer, digest: string): Promise<Answer> =>
    client.request('PUT', image.path, {
      headers: { 'Content-Digest': digest, Accept: 'application/problem+json' },
      body,
    });

  const account = async ({ path }: ImageTicket): Promise<Account> =>
    JSON.parse((await client.request('GET', `${path}/ranges`)).text) as Account;

  const transferred = async ({ id }: ImageTicket): Promise<number | undefined> =>
    (await wire.vdsm.getTicket(id)).transferred;

  /** A chunked upload with `trailers` behind it. @returns its status */
  const putChunked = async (image: ImageTicket, body: Buffer, trailers: string): Promise<number> => {
    const framing = ['Transfer-Encoding: chunked', 'Trailer: Content-Digest', 'Connection: close'];
    const head = wire.request('PUT', image.path, framing);
    const chunks = `${body.length.toString(16)}\r\n${body.toString('latin1')}\r\n0\r\n${trailers}\r\n`;
    return parseAnswer(await wire.exchangeBytes(Buffer.from(head + chunks, 'latin1'))).status;
  };

  for (const lengthBytes of [0, 5, MiB, 5 * MiB + 7]) {
    for (const algorithm of ['sha-256', 'sha-512'] as const) {
      test(`lets ${lengthBytes} bytes pass that match by ${algorithm}`, async () => {
        const image = await wire.addImage(6 * MiB);
        const data = randomBytes(lengthBytes);
        const answer = await put(image, data, `md5=:AAAA:, ${digestOf(data, algorithm)}`);
        assert.equal(answer.status, 200, answer.text);
        assert.ok((await wire.contentOf(image)).subarray(0, lengthBytes).equals(data));
        assert.equal(await transferred(image), lengthBytes);
        assert.equal((await account(image)).durable_bytes, lengthBytes);
      });
    }
  }

  test('refuses a short body that does not match before anything is written', async () => {
    const content = randomBytes(2 * MiB);
    const image = await wire.addImage(content);
    const data = randomBytes(MiB);
    const answer = await put(image, damaged(data), digestOf(data));
    assert.equal(answer.status, 400);
    const { type, algorithm } = JSON.parse(answer.text) as Record<string, string>;
    assert.equal(type, 'https://iana.org/assignments/http-problem-types#digest-mismatching-value');
    assert.equal(algorithm, 'sha-256');
    assert.ok((await wire.contentOf(image)).equals(content));
    assert.equal(await transferred(image), 0);
    assert.equal((await account(image)).received_bytes, 0);
  });

  test('refuses a long body that does not match, and knows nothing of its range any more', async () => {
    const image = await wire.addImage(4 * MiB);
    const data = randomBytes(4 * MiB);
    assert.equal((await put(image, data, digestOf(data))).status, 200);
    const first = await account(image);
    assert.equal(first.durable_bytes, data.length);
    assert.equal((await put(image, damaged(data), digestOf(data))).status, 400);
    const second = await account(image);
    assert.equal(second.received_bytes, 0);
    assert.ok(second.generation > first.generation);
  });

  test('is taken as a trailer, right or wrong', async () => {
    const image = await wire.addImage(4 * MiB);
    for (const lengthBytes of [1000, 3 * MiB]) {
      const data = randomBytes(lengthBytes);
      const trailer = `Content-Digest: ${digestOf(data)}\r\n`;
      assert.equal(await putChunked(image, damaged(data), trailer), 400);
      assert.equal((await account(image)).received_bytes, 0);
      assert.equal(await transferred(image), 0);
    }
    const data = randomBytes(3 * MiB);
    assert.equal(await putChunked(image, data, `Content-Digest: ${digestOf(data, 'sha-512')}\r\n`), 200);
    assert.ok((await wire.contentOf(image)).subarray(0, data.length).equals(data));
    assert.equal(await transferred(image), data.length);
  });

  test('must come when it was announced', async () => {
    const image = await wire.addImage(MiB);
    assert.equal(await putChunked(image, randomBytes(1000), ''), 400);
    assert.equal((await account(image)).received_bytes, 0);
  });

  for (const field of ['', 'sha-256', 'sha-256=abc', 'sha-256=:AAAA:', 'sha-256=:"', ', ,']) {
    test(`is refused when it is ${JSON.stringify(field)}`, async () => {
      const image = await wire.addImage(4096);
      // A dictionary may be empty, and then says nothing.
      assert.equal((await put(image, Buffer.from('DATA'), field)).status, field === '' ? 200 : 400);
    });
  }
});
