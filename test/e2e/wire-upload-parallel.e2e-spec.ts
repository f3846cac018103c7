import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { KiB, MiB } from '../../src/base/units.js';
import type { ImagesClient } from '../support/client.js';
import type { Answer } from '../support/exchange.js';
import type { ImageTicket } from './daemon-under-test.js';
import { allWireRoutes, describeWire } from './wire-under-test.js';

const imageBytes = 8 * MiB;
const asking = { 'Upload-Parallel': '?1', Accept: 'application/problem+json' };

const options = { routes: allWireRoutes, configuration: { limits: { ranges_max: 100 } } };

describeWire('Upload-Parallel', options, (wire) => {
  let client: ImagesClient;
  before(() => {
    client = wire.client();
  });

  const put = (
    { path }: ImageTicket,
    start: number,
    body: Uint8Array | string,
    { flush = 'n', headers = asking }: { flush?: string; headers?: Record<string, string> } = {},
  ): Promise<Answer> =>
    client.request('PUT', `${path}?flush=${flush}`, {
      headers: { ...rangeOf(start, body.length), ...headers },
      body,
    });

  const patch = ({ path }: ImageTicket, operation: object, headers = {}): Promise<Answer> =>
    client.request('PATCH', path, { headers: { ...asking, ...headers }, body: JSON.stringify(operation) });

  const told = ({ status, headers }: Answer): unknown => [
    status,
    headers['upload-offset'],
    headers['upload-received'],
  ];

  /** What problem details have only for who asks. */
  const problem = ({ text }: Answer): Record<string, unknown> => {
    const members = Object.entries<unknown>(JSON.parse(text) as Record<string, unknown>);
    return Object.fromEntries(members.filter(([name]) => name === 'durable_bytes' || name === 'retryable'));
  };

  test('has writes, zeroes and flushes tell what is there', async () => {
    const image = await wire.addImage(imageBytes);
    assert.deepEqual(told(await put(image, 0, '')), [200, '0', undefined]);
    assert.deepEqual(told(await put(image, MiB, Buffer.alloc(MiB))), [200, '0', `(${MiB} ${MiB})`]);
    assert.deepEqual(told(await patch(image, { op: 'zero', offset: 0, size: 64 * KiB })), [
      200,
      String(64 * KiB),
      `(0 ${64 * KiB}), (${MiB} ${MiB})`,
    ]);
    assert.deepEqual(told(await patch(image, { op: 'flush' })), [
      200,
      String(64 * KiB),
      `(0 ${64 * KiB}), (${MiB} ${MiB})`,
    ]);
    const last = await put(image, 64 * KiB, Buffer.alloc(MiB - 64 * KiB), { flush: 'y' });
    assert.deepEqual(told(last), [200, String(2 * MiB), `(0 ${2 * MiB})`]);
  });

  test('has the first 32 ranges of more told, after which those of /ranges go on', async () => {
    const image = await wire.addImage(imageBytes);
    for (let index = 0; index < 39; index++) await put(image, index * 8192, 'data');
    const { headers } = await put(image, 39 * 8192, 'data');
    const ranges = String(headers['upload-received']).split(', ');
    assert.deepEqual([ranges.length, ranges[0], ranges[31]], [32, '(0 4)', `(${31 * 8192} 4)`]);
    const rest = await client.request('GET', `${image.path}/ranges?start=${31 * 8192 + 4}`);
    assert.equal((JSON.parse(rest.text) as { ranges: unknown[] }).ranges.length, 8);
  });

  test('has a refusal tell it, and whether the request is worth repeating', async () => {
    const image = await wire.addImage(imageBytes);
    await put(image, 0, Buffer.alloc(4096), { flush: 'y' });
    await put(image, 4096, Buffer.alloc(4096));
    const there = [String(8192), '(0 8192)'];
    const past = await put(image, imageBytes, 'data');
    // A proxy that has the ticket refuses this by itself, and does not know the image.
    const isByProxy = wire.route === 'through the proxy with a ticket';
    assert.deepEqual(told(past), isByProxy ? [416, undefined, undefined] : [416, ...there]);
    const { retryable, ...known } = problem(past);
    assert.equal(retryable, false);
    assert.deepEqual(known, isByProxy ? {} : { durable_bytes: 4096 });
    const malformed = await patch(image, { op: 'zero' });
    assert.deepEqual(told(malformed), [400, ...there]);
    assert.deepEqual(problem(malformed), { durable_bytes: 4096, retryable: false });
    const digest = `sha-256=:${Buffer.alloc(32).toString('base64')}:`;
    const damaged = await put(image, 8192, 'data', { headers: { ...asking, 'Content-Digest': digest } });
    assert.deepEqual(told(damaged), [400, ...there]);
    assert.deepEqual(problem(damaged), { durable_bytes: 4096, retryable: true });
    const long = { headers: { ...asking, 'Content-Digest': digest } };
    const gone = await put(image, 0, Buffer.alloc(3 * MiB), long);
    assert.deepEqual(told(gone), [400, '0', undefined]);
    assert.deepEqual(problem(gone), { durable_bytes: 0, retryable: true });
  });

  test('has a refusal tell nothing of the image before the ticket was found good', async () => {
    const image = await wire.addImage(imageBytes);
    await put(image, 0, 'data');
    const malformed = await put(image, 0, 'data', { headers: { ...asking, 'Content-Range': 'bytes 7-3/9' } });
    assert.deepEqual(told(malformed), [400, undefined, undefined]);
    assert.deepEqual(problem(malformed), { retryable: false });
    const unknown = await client.request('PUT', await wire.addUnknownImage(), { headers: asking, body: 'x' });
    assert.deepEqual(told(unknown), [403, undefined, undefined]);
    assert.deepEqual(problem(unknown), { retryable: false });
    const readOnly = await wire.addImage(imageBytes, { ops: ['read'] });
    assert.deepEqual(told(await put(readOnly, 0, 'data')), [403, undefined, undefined]);
  });

  test('has a job tell it when it begins', async () => {
    const image = await wire.addImage(imageBytes);
    await put(image, 0, 'data');
    const begun = await patch(image, { op: 'flush' }, { Prefer: 'respond-async' });
    assert.deepEqual(told(begun), [202, '4', '(0 4)']);
  });

  test('asks for nothing when it is anything else than ?1, and nobody is told unasked', async () => {
    const image = await wire.addImage(imageBytes);
    for (const field of [undefined, '?0', '1', '?1, ?1', '(']) {
      const headers: Record<string, string> = { Accept: 'application/problem+json' };
      if (field !== undefined) headers['Upload-Parallel'] = field;
      assert.deepEqual(told(await put(image, 0, 'data', { headers })), [200, undefined, undefined]);
      const refused = await put(image, imageBytes, 'data', { headers });
      assert.deepEqual(told(refused), [416, undefined, undefined]);
      assert.deepEqual(problem(refused), {});
    }
    const read = await client.request('GET', `${image.path}/extents`, { headers: asking });
    assert.deepEqual(told(read), [200, undefined, undefined]);
  });
});

/** An empty body has no last byte to name. */
function rangeOf(start: number, lengthBytes: number): Record<string, string> {
  return lengthBytes === 0 ? {} : { 'Content-Range': `bytes ${start}-${start + lengthBytes - 1}/*` };
}
