import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { open, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { missing, Workspace } from '../nbd/servers.js';
import type { Address } from '../support/address.js';
import { imagePath, ImagesClient } from '../support/client.js';
import { FlippingWay } from '../support/flipping-way.js';
import { SeededRandom } from '../support/random.js';
import { RawSocket } from '../support/raw-socket.js';
import type { Service } from '../support/processes.js';
import { Deployment } from './deployment.js';
import { parseAnswer, requestBytes } from './raw-answers.js';

/** `FLIPPED_BITS=1000 npm test -- flipped-bits` flips more. */
const flips = Number(process.env['FLIPPED_BITS'] ?? 100);
const seed = Number(process.env['FLIPPED_BITS_SEED'] ?? Date.now() % 1_000_000);

const blocks = 4;
const sizeBytes = blocks * MiB;
const query = `algorithm=sha256&block_size=${MiB}`;
const hash = (data: Uint8Array, coding: 'hex' | 'base64'): string =>
  createHash('sha256').update(data).digest(coding);

describe(`bits that flip (seed ${seed})`, () => {
  const random = new SeededRandom(seed);
  const data = randomBytes(sizeBytes);
  let deployment: Deployment;
  let workspace: Workspace;
  before(async () => {
    // With TLS the connection would break before anybody had to look at a digest.
    const tls = { enable: false };
    deployment = await Deployment.start({ daemon: { tls }, proxy: { tls } });
    workspace = await Workspace.create();
  });
  after(async () => {
    await deployment[Symbol.asyncDispose]();
    await workspace[Symbol.asyncDispose]();
  });

  const local = () => new ImagesClient(deployment.daemon.address('local'));

  /** The first bytes of the blocks that are others than those of `data`. */
  async function differingBlocks(id: string): Promise<number[]> {
    const client = local();
    const { text } = await client.request('GET', `${imagePath(id)}/digests?${query}`);
    client.close();
    const found = JSON.parse(text) as { start: number; length: number; digest: string }[];
    assert.equal(found.length, blocks);
    return found
      .filter(({ start, length, digest }) => digest !== hash(data.subarray(start, start + length), 'hex'))
      .map(({ start }) => start);
  }

  /** Signed tickets would want TLS. */
  const admitAtProxy = (uuid: string): Promise<void> =>
    deployment.proxy.vdsm.addTicket({
      uuid,
      size: sizeBytes,
      ops: ['write'],
      timeout: 300,
      url: `${deployment.daemon.url}${imagePath(uuid)}`,
    });

  const addTicket = async (url: string): Promise<string> => {
    const uuid = `${Date.now()}-${random.next()}`;
    await deployment.daemon.vdsm.addTicket({ uuid, size: sizeBytes, ops: ['write'], timeout: 300, url });
    return uuid;
  };

  for (const role of ['daemon', 'proxy'] as const) {
    describe(`on the way to the ${role}`, () => {
      let way: FlippingWay;
      let id = '';
      before(async () => {
        const service: Service = deployment[role];
        const address = service.address('remote');
        assert.ok(address.kind === 'tcp');
        way = await FlippingWay.to(address.port);
        const file = deployment.folder.file(`${role}.raw`);
        await writeFile(file, Buffer.alloc(sizeBytes));
        id = await addTicket(`file://${file}`);
        if (role === 'proxy') await admitAtProxy(id);
      });
      after(() => way[Symbol.asyncDispose]());

      /** @returns the status of an upload on a connection of its own */
      async function upload(body: Buffer, headers: readonly string[], suffix = ''): Promise<number> {
        const address: Address = { kind: 'tcp', port: way.port };
        const socket = await RawSocket.connect(address);
        try {
          const head = requestBytes('PUT', `${imagePath(id)}${suffix}`, ['Connection: close', ...headers]);
          await socket.send(Buffer.concat([Buffer.from(head, 'latin1'), body]));
          return parseAnswer(await socket.readUntilClose()).status;
        } finally {
          socket.close();
        }
      }

      const uploadWithDigest = (body: Buffer): Promise<number> =>
        upload(body, [`Content-Length: ${body.length}`, `Content-Digest: sha-256=:${hash(body, 'base64')}:`]);
      /** With its digest behind it. */
      const uploadWithTrailer = (body: Buffer): Promise<number> => {
        const [size, end] = [
          chunkSize(body),
          `\r\n0\r\nContent-Digest: sha-256=:${hash(body, 'base64')}:\r\n\r\n`,
        ];
        return upload(Buffer.concat([Buffer.from(size), body, Buffer.from(end)]), [
          'Transfer-Encoding: chunked',
          'Trailer: Content-Digest',
        ]);
      };
      const chunkSize = ({ length }: Buffer): string => `${length.toString(16)}\r\n`;

      async function receivedBytes(): Promise<number> {
        const client = local();
        const { text } = await client.request('GET', `${imagePath(id)}/ranges`);
        client.close();
        return (JSON.parse(text) as { received_bytes: number }).received_bytes;
      }

      test('are all refused by the digest of the body', async () => {
        for (let count = 0; count < flips / 4; count += 1) {
          const body = data.subarray(0, random.of([1, 1000, 100_000, MiB + 1]));
          const bit = random.below(body.length * 8);
          const inTrailer = random.below(2) === 1;
          way.flippedBit = bit + (inTrailer ? 8 * chunkSize(body).length : 0);
          const status = await (inTrailer ? uploadWithTrailer(body) : uploadWithDigest(body));
          assert.equal(status, 400, `bit ${bit} of ${body.length} bytes, ${inTrailer ? 'trailer' : 'head'}`);
          assert.equal(await receivedBytes(), 0);
        }
        way.flippedBit = undefined;
        const body = data.subarray(0, 1000);
        assert.deepEqual([await uploadWithDigest(body), await uploadWithTrailer(body)], [200, 200]);
      });

      test('are found in their blocks where an upload has no digest', async () => {
        for (let count = 0; count < flips / 20; count += 1) {
          const bit = random.below(sizeBytes * 8);
          way.flippedBit = bit;
          const length = [`Content-Length: ${sizeBytes}`];
          // Also where the digests were made on arrival.
          const suffix = random.of(['', `?digests=sha256&block_size=${MiB}`]);
          assert.equal(await upload(data, length, suffix), 200);
          assert.deepEqual(await differingBlocks(id), [Math.floor(bit / 8 / MiB) * MiB], `bit ${bit}`);
        }
      });
    });
  }

  describe('on the disk', () => {
    const storages = [
      { name: 'of a file', skip: false, urlOf: (file: string) => Promise.resolve(`file://${file}`) },
      {
        name: 'behind an NBD server',
        skip: missing('qemu-nbd'),
        urlOf: async (file: string) => (await workspace.qemuNbd('--format=raw', file)).url,
      },
    ];
    for (const { name, skip, urlOf } of storages) {
      test(`${name} are all found in their blocks by the digests`, { skip }, async () => {
        const path = workspace.path(`${name}.raw`.replaceAll(' ', '-'));
        await writeFile(path, data);
        const url = await urlOf(path);
        await using file = await open(path, 'r+');
        for (let count = 0; count < flips / 5; count += 1) {
          const bit = random.below(sizeBytes * 8);
          const at = Math.floor(bit / 8);
          const good = data.subarray(at, at + 1);
          await file.write(Buffer.of((good[0] ?? 0) ^ (1 << (bit % 8))), 0, 1, at);
          // A ticket of its own: what another one has kept does not tell of changes past the service.
          const id = await addTicket(url);
          assert.deepEqual(await differingBlocks(id), [Math.floor(at / MiB) * MiB], `bit ${bit}`);
          await deployment.daemon.vdsm.removeTicket(id);
          await file.write(good, 0, 1, at);
        }
      });
    }
  });
});
