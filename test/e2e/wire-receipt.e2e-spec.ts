import assert from 'node:assert/strict';
import { randomBytes, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { decodeProtectedHeader, flattenedVerify, importX509, type FlattenedJWS } from 'jose';
import { MiB } from '../../src/base/units.js';
import type { Answer } from '../support/exchange.js';
import { eventually } from '../support/deadline.js';
import type { ImageTicket } from './daemon-under-test.js';
import { describeWire, allWireRoutes } from './wire-under-test.js';

type Receipt = FlattenedJWS & { readonly protected: string };

interface Claims {
  readonly iat: number;
  readonly transfer_id: string;
  readonly size: number;
  readonly checksum: string;
  readonly received_bytes: number;
  readonly durable_bytes: number;
  readonly durable_ranges: readonly { start: number; length: number }[];
  readonly next: number | null;
}

const query = `algorithm=sha256&block_size=${MiB}`;

describeWire('the receipt of an image', { routes: allWireRoutes }, (wire) => {
  const ask = (path: string, headers: Record<string, string> = {}): Promise<Answer> =>
    wire.client().request('GET', `${path}/receipt?${query}`, { headers });

  /** What it says, when the certificate of the daemon is in it and its key has signed it. */
  const claimsOf = async (receipt: Receipt): Promise<Claims> => {
    const { alg = '', typ, x5c = [] } = decodeProtectedHeader(receipt);
    assert.equal(typ, 'imageio-receipt');
    const own = new X509Certificate(Buffer.from(x5c[0] ?? '', 'base64'));
    assert.ok(own.verify(new X509Certificate(wire.daemon.pki.caPem).publicKey));
    const key = await importX509(own.toString(), alg);
    const { payload } = await flattenedVerify(receipt, key, { algorithms: ['ES256'] });
    return JSON.parse(Buffer.from(payload).toString()) as Claims;
  };

  const claims = async (path: string): Promise<Claims> => {
    const { status, headers, text } = await ask(path);
    assert.equal(status, 200, text);
    assert.equal(headers['content-type'], 'application/jose+json');
    return claimsOf(JSON.parse(text) as Receipt);
  };

  const checksum = async (path: string): Promise<string> => {
    const { text } = await wire.client().request('GET', `${path}/checksum?${query}`);
    return (JSON.parse(text) as { checksum: string }).checksum;
  };

  const put = (image: ImageTicket, start: number, body: Buffer, flush: 'y' | 'n'): Promise<Answer> => {
    const headers = { 'Content-Range': `bytes ${start}-${start + body.length - 1}/*` };
    return wire.client().request('PUT', `${image.path}?flush=${flush}`, { headers, body });
  };

  test('says what the image is and which bytes of it are there for good', async () => {
    const image = await wire.addImage(3 * MiB, { transfer_id: 'backup 7' });
    const before = Math.floor(Date.now() / 1000);
    await put(image, 0, randomBytes(MiB), 'y');
    await put(image, 2 * MiB, randomBytes(1000), 'n');
    const { iat, ...rest } = await claims(image.path);
    assert.ok(iat >= before && iat <= Date.now() / 1000);
    assert.deepEqual(rest, {
      transfer_id: 'backup 7',
      size: 3 * MiB,
      algorithm: 'sha256',
      block_size: MiB,
      checksum: await checksum(image.path),
      received_bytes: MiB + 1000,
      durable_bytes: MiB,
      durable_ranges: [{ start: 0, length: MiB }],
      next: null,
    });
  });

  test('tells zeroed and written bytes that are neighbours as one range', async () => {
    const image = await wire.addImage(2 * MiB);
    await put(image, 0, randomBytes(MiB), 'n');
    const body = JSON.stringify({ op: 'zero', offset: MiB, size: MiB, flush: true });
    await wire.client().request('PATCH', image.path, { body });
    assert.deepEqual((await claims(image.path)).durable_ranges, [{ start: 0, length: 2 * MiB }]);
  });

  test('is given to who may only read, who has brought nothing', async () => {
    const image = await wire.addImage(randomBytes(MiB + 1), { ops: ['read'] });
    const { size, received_bytes, durable_ranges } = await claims(image.path);
    assert.deepEqual(
      { size, received_bytes, durable_ranges },
      { size: MiB + 1, received_bytes: 0, durable_ranges: [] },
    );
  });

  test('does not verify when a bit of it is another one', async () => {
    const image = await wire.addImage(randomBytes(MiB));
    const receipt = JSON.parse((await ask(image.path)).text) as Receipt;
    await claimsOf(receipt);
    const flipped = Buffer.from(receipt.payload, 'base64url');
    flipped[10] = (flipped[10] ?? 0) ^ 1;
    await assert.rejects(claimsOf({ ...receipt, payload: flipped.toString('base64url') }));
  });

  test('is refused with 409 while somebody writes to the image', async () => {
    const image = await wire.addImage(randomBytes(16 * MiB));
    const enough = new AbortController();
    const writing = (async () => {
      while (!enough.signal.aborted) await put(image, 8 * MiB, randomBytes(1000), 'n');
    })();
    const refused = await eventually(async () => {
      const answer = await ask(image.path);
      return answer.status === 409 ? answer : undefined;
    }, 'a receipt to be refused').finally(() => {
      enough.abort();
    });
    await writing;
    assert.match(refused.text, /The image was changed while its receipt was made/);
    assert.equal((await ask(image.path)).status, 200);
  });

  test('can be had as a job', async () => {
    const image = await wire.addImage(randomBytes(MiB));
    const begun = await ask(image.path, { Prefer: 'respond-async' });
    assert.equal(begun.status, 202, begun.text);
    const job = await eventually(async () => {
      const { text } = await wire.client().request('GET', String(begun.headers['location']));
      const { state, kind, result } = JSON.parse(text) as { state: string; kind: string; result?: Receipt };
      return state === 'running' ? undefined : { kind, result };
    }, 'the job to end');
    assert.equal(job.kind, 'receipt');
    assert.ok(job.result);
    assert.equal((await claimsOf(job.result)).checksum, await checksum(image.path));
  });

  test('is an extension', async () => {
    const { path } = await wire.addImage(MiB);
    const { text } = await wire.client().request('OPTIONS', path);
    assert.ok((JSON.parse(text) as { extensions: string[] }).extensions.includes('receipt'));
  });

  test('is refused with 400 and 403 as a checksum is', async () => {
    const { path } = await wire.addImage(MiB);
    const { status } = await wire.client().request('GET', `${path}/receipt?algorithm=none`);
    assert.equal(status, 400);
    assert.equal((await ask(await wire.addUnknownImage())).status, 403);
  });
});
