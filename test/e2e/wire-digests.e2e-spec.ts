import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { test } from 'node:test';
import { KiB, MiB } from '../../src/base/units.js';
import { parseAnswer } from './raw-answers.js';
import { allWireRoutes, describeWire, type Wire } from './wire-under-test.js';

interface BlockDigest {
  readonly start: number;
  readonly length: number;
  readonly digest: string;
  readonly zero?: boolean;
}

/** Three blocks of data, two of a hole, and the beginning of one more. */
const imageBytes = 5 * MiB + 300 * KiB;
const content = Buffer.alloc(imageBytes);
for (let offset = 0; offset < 3 * MiB; offset += 1) content[offset] = offset * 7 + (offset >> 12);
content.fill('end', 5 * MiB);

const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

describeWire('digests of the blocks of an image', { routes: allWireRoutes }, (wire) => {
  const digests = async (path: string, query: string): Promise<readonly BlockDigest[]> => {
    const { status, text } = await wire.client().request('GET', `${path}/digests?algorithm=sha256&${query}`);
    assert.equal(status, 200, text);
    return JSON.parse(text) as BlockDigest[];
  };

  test('are those of the data, in order, and those of holes say that they are zero', async () => {
    const path = await addImage(wire);
    assert.deepEqual(
      await digests(path, `block_size=${MiB}`),
      Array.from({ length: 6 }, (_, index) => {
        const block = content.subarray(index * MiB, (index + 1) * MiB);
        const digest = { start: index * MiB, length: block.length, digest: sha256(block) };
        return index === 3 || index === 4 ? { ...digest, zero: true } : digest;
      }),
    );
  });

  test('are those that the checksum is the hash of', async () => {
    const path = await addImage(wire);
    const query = `algorithm=sha256&block_size=${2 * MiB}`;
    const list = await digests(path, `block_size=${2 * MiB}`);
    const all = Buffer.concat(list.map(({ digest }) => Buffer.from(digest, 'hex')));
    const { text } = await wire.client().request('GET', `${path}/checksum?${query}`);
    const { checksum } = JSON.parse(text) as { checksum: string };
    assert.equal(sha256(all), checksum);
  });

  test('come for a part, whose last block ends where it does', async () => {
    const path = await addImage(wire);
    assert.deepEqual(await digests(path, `block_size=${MiB}&start=${MiB}&length=${MiB + 4}`), [
      { start: MiB, length: MiB, digest: sha256(content.subarray(MiB, 2 * MiB)) },
      { start: 2 * MiB, length: 4, digest: sha256(content.subarray(2 * MiB, 2 * MiB + 4)) },
    ]);
    assert.deepEqual(
      (await digests(path, `block_size=${MiB}&start=${4 * MiB}`)).map(({ start }) => start),
      [4 * MiB, 5 * MiB],
    );
  });

  test('come one in each line for a client that prefers that', async () => {
    const path = await addImage(wire);
    const client = wire.client();
    const list = await client.request('GET', `${path}/digests?algorithm=sha256&block_size=${MiB}`);
    const lines = await client.request('GET', `${path}/digests?algorithm=sha256&block_size=${MiB}`, {
      headers: { Accept: 'application/x-ndjson' },
    });
    assert.equal(list.headers['content-type'], 'application/json');
    assert.equal(lines.headers['content-type'], 'application/x-ndjson');
    assert.deepEqual(
      lines.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
      JSON.parse(list.text),
    );
  });

  test('come as an array for a client of HTTP/1.0, which could not tell lines that are cut', async () => {
    const path = await addImage(wire);
    const accept = ['Accept: application/x-ndjson'];
    const request = wire.request('GET', `${path}/digests?block_size=${MiB}`, accept);
    const answer = parseAnswer(await wire.exchangeBytes(request.replace('HTTP/1.1', 'HTTP/1.0')));
    assert.equal(answer.headers['content-type'], 'application/json');
    assert.equal((JSON.parse(answer.body) as unknown[]).length, 6);
  });

  test('are none for an empty image', async () => {
    const { path } = await wire.addImage(0, { size: 0 });
    assert.deepEqual(await digests(path, ''), []);
  });

  for (const [query, status, text] of [
    ['start=1', 400, /Invalid start, expected a multiple of the block size/],
    ['start=x', 400, /Invalid start, expected a number of bytes/],
    ['length=-1', 400, /Invalid length, expected a number of bytes/],
    ['algorithm=none', 400, /Unknown algorithm 'none', available: 'blake2b', /],
    ['block_size=4096', 400, /Invalid block_size/],
    [`start=${8 * MiB}`, 416, /range end 8388608 > ticket size/],
    [`length=${imageBytes + 1}`, 416, /range end 5550081 > ticket size 5550080/],
  ] as const) {
    test(`are refused with ${status} for ${query}`, async () => {
      const path = await addImage(wire);
      const answer = await wire.client().request('GET', `${path}/digests?${query}`);
      assert.equal(answer.status, status);
      assert.match(answer.text, text);
    });
  }

  test('are refused past the end of an image that is smaller than its ticket', async () => {
    const { path } = await wire.addImage(MiB, { size: 8 * MiB });
    const answer = await wire.client().request('GET', `${path}/digests?start=${4 * MiB}`);
    assert.equal(answer.status, 416);
    assert.match(answer.text, /range end 4194304 > image size 1048576/);
  });

  test('of a sparse image of 8 TiB begin at once, and who does not read them is no burden', async () => {
    const { path } = await wire.addImage(8 * 1024 * 1024 * MiB);
    const socket = await wire.connect();
    await socket.send(wire.request('GET', `${path}/digests?block_size=${MiB}`));
    await socket.readUntil('"zero":true');
    socket.pause();
    // Others are answered all the same.
    const other = await addImage(wire);
    for (let round = 0; round < 4; round += 1) await digests(other, `block_size=${MiB}`);
    socket.close();
  });
});

async function addImage(wire: Wire): Promise<string> {
  const { path, file: name } = await wire.addImage(imageBytes);
  await using file = await open(name, 'r+');
  await file.write(content, 0, 3 * MiB, 0);
  await file.write(content, 5 * MiB, imageBytes - 5 * MiB, 5 * MiB);
  return path;
}

describeWire('digests of whole blocks that are uploaded', {}, (wire) => {
  const query = `algorithm=sha256&block_size=${MiB}`;
  const checksum = async (path: string, more = ''): Promise<string> => {
    const { text } = await wire.client().request('GET', `${path}/checksum?${query}${more}`);
    return (JSON.parse(text) as { checksum: string }).checksum;
  };
  const expected = sha256(
    Buffer.concat(
      Array.from({ length: 6 }, (_, index) =>
        createHash('sha256')
          .update(content.subarray(index * MiB, (index + 1) * MiB))
          .digest(),
      ),
    ),
  );

  test('are kept, so that a checksum after the upload reads 0 bytes', async () => {
    const { path, file: name } = await wire.addImage(imageBytes);
    const put = await wire
      .client()
      .request('PUT', `${path}?digests=sha256&block_size=${MiB}`, { body: content });
    assert.equal(put.status, 200);
    // What somebody else changes on the disk is seen only by who reads it.
    await using file = await open(name, 'r+');
    await file.write('other', 100);
    assert.equal(await checksum(path), expected);
  });

  test('are forgotten where the image is changed', async () => {
    const { path } = await wire.addImage(imageBytes);
    const client = wire.client();
    await client.request('PUT', `${path}?digests=sha256&block_size=${MiB}`, { body: content });
    const changed = Buffer.from(content);
    changed.fill('new', MiB + 10, MiB + 1000);
    const headers = { 'Content-Range': `bytes ${MiB + 10}-${MiB + 999}/*` };
    await client.request('PUT', path, { headers, body: changed.subarray(MiB + 10, MiB + 1000) });
    const copy = await wire.addImage(changed);
    assert.equal(await checksum(path), await checksum(copy.path));
  });

  test('are kept of a whole block whose Content-Digest was right, and of the rest at the end', async () => {
    const { path, file: name } = await wire.addImage(imageBytes);
    const client = wire.client();
    for (let start = 0; start < imageBytes; start += MiB) {
      const body = content.subarray(start, start + MiB);
      const headers = {
        'Content-Range': `bytes ${start}-${start + body.length - 1}/*`,
        'Content-Digest': `sha-256=:${createHash('sha256').update(body).digest('base64')}:`,
      };
      assert.equal((await client.request('PUT', path, { headers, body })).status, 200);
    }
    await using file = await open(name, 'r+');
    await file.write('other', 100);
    await file.write('other', 5 * MiB + 100);
    assert.equal(await checksum(path), expected);
  });

  test('tell where another ticket has changed what was uploaded', async () => {
    const image = await wire.addImage(imageBytes);
    const client = wire.client();
    await client.request('PUT', `${image.path}?digests=sha256&block_size=${MiB}`, { body: content });
    const other = await wire.addTicketFor(image);
    const headers = { 'Content-Range': `bytes ${2 * MiB}-${2 * MiB + 3}/*` };
    await client.request('PUT', other, { headers, body: 'lost' });
    const differences = [];
    // What was read once is kept, and still is not what was uploaded.
    for (let count = 0; count < 2; count += 1) {
      const answer = await client.request('GET', `${image.path}/checksum?${query}&expect=${expected}`, {
        headers: { Accept: 'application/json' },
      });
      assert.equal(answer.status, 409);
      differences.push((JSON.parse(answer.text) as { first_difference: unknown }).first_difference);
    }
    assert.deepEqual(differences, [2 * MiB, 2 * MiB]);
  });

  test('are not made without whole blocks of a known algorithm', async () => {
    const { path } = await wire.addImage(imageBytes);
    const answer = await wire.client().request('PUT', `${path}?digests=none`, { body: content });
    assert.equal(answer.status, 400);
    assert.match(answer.text, /Unknown algorithm 'none'/);
  });

  test('make a checksum that is expected, or 409 with both', async () => {
    const path = await addImage(wire);
    assert.equal(await checksum(path, `&expect=${expected.toUpperCase()}`), expected);
    const headers = { Accept: 'application/json' };
    const answer = await wire.client().request('GET', `${path}/checksum?${query}&expect=00ff`, { headers });
    assert.equal(answer.status, 409);
    const { title, ...problem } = JSON.parse(answer.text) as { title: string };
    assert.match(title, /^The checksum is [0-9a-f]{64}, not 00ff/);
    assert.deepEqual(problem, {
      type: 'urn:ovirt-imageio:error:checksum_mismatch',
      status: 409,
      expected: '00ff',
      actual: expected,
      first_difference: null,
    });
    const malformed = await wire.client().request('GET', `${path}/checksum?expect=x`);
    assert.equal(malformed.status, 400);
  });
});
