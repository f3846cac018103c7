import assert from 'node:assert/strict';
import { truncateSync, writeFileSync, openSync, writeSync, closeSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { KiB, MiB } from '../../src/base/units.js';
import { nextPageStart } from '../../src/wire/headers/page-link.js';
import type { ImageTicket } from '../e2e/daemon-under-test.js';
import { describeWire, type Wire } from '../e2e/wire-under-test.js';
import type { WireExtent } from '../support/client.js';
import type { Answer } from '../support/exchange.js';
import { missing, Workspace } from './servers.js';

const TiB = 1024 * 1024 * MiB;
/** Pieces of data with holes between them. */
const pieces = 20;
const distanceBytes = 128 * KiB;
const sizeBytes = pieces * distanceBytes;

/** Asks for `path` and the pages after it, each by the link of the one before. */
async function pagesOf(wire: Wire, path: string): Promise<readonly Answer[]> {
  const pages: Answer[] = [];
  for (let next = path; ;) {
    const page: Answer = await wire.client().request('GET', next);
    assert.equal(page.status, 200, page.text);
    pages.push(page);
    const { link } = page.headers;
    if (link === undefined) return pages;
    const [, target = ''] = /^<([^>]*)>; rel="next"$/.exec(String(link)) ?? [];
    assert.ok(nextPageStart(link));
    next = new URL(target, `http://localhost${next}`).href.slice('http://localhost'.length);
  }
}

function spread(file: string, count: number, pieceBytes: number): void {
  const descriptor = openSync(file, 'r+');
  for (let index = 0; index < count; index += 1) {
    writeSync(descriptor, Buffer.alloc(pieceBytes, 1), 0, pieceBytes, index * distanceBytes);
  }
  closeSync(descriptor);
}

describeWire('extents in pages', { concurrency: true }, (wire) => {
  const spreadImage = async (ticketBytes = sizeBytes): Promise<ImageTicket> => {
    const image = await wire.addImage(sizeBytes, { size: ticketBytes });
    spread(image.file, pieces, 64 * KiB);
    return image;
  };

  for (const ticketBytes of [sizeBytes, sizeBytes - 96 * KiB, 0]) {
    test(`are together those of the whole list, for a ticket of ${ticketBytes} bytes`, async () => {
      const { path } = await spreadImage(ticketBytes);
      const whole = JSON.parse((await wire.client().request('GET', `${path}/extents`)).text) as WireExtent[];
      for (const limit of [1, 7, whole.length + 1]) {
        const pages = await pagesOf(wire, `${path}/extents?limit=${limit}`);
        const lists = pages.map(({ text }) => JSON.parse(text) as WireExtent[]);
        assert.deepEqual(lists.flat(), whole);
        assert.ok(lists.every((list) => list.length <= limit));
        assert.ok(pages.every(({ headers }) => headers['content-length'] !== undefined));
      }
    });
  }

  test('of a part are cut at its ends', async () => {
    const { path } = await spreadImage();
    for (const query of ['start=1000&length=200000', 'start=1000&length=200000&limit=1']) {
      const pages = await pagesOf(wire, `${path}/extents?${query}`);
      assert.deepEqual(
        pages.flatMap(({ text }) => JSON.parse(text) as WireExtent[]),
        [
          { start: 1000, length: 64_536, zero: false, hole: false },
          { start: 65_536, length: 65_536, zero: true, hole: false },
          { start: 131_072, length: 65_536, zero: false, hole: false },
          { start: 196_608, length: 4392, zero: true, hole: false },
        ],
      );
    }
    for (const query of [`start=${sizeBytes}`, `start=${TiB}&limit=1`, 'length=0']) {
      assert.equal((await wire.client().request('GET', `${path}/extents?${query}`)).text, '[]');
    }
    assert.equal((await wire.client().request('GET', `${path}/extents?start=x`)).status, 400);
  });

  test('are lines for who prefers those', async () => {
    const { path } = await spreadImage(sizeBytes - 96 * KiB);
    const whole = JSON.parse((await wire.client().request('GET', `${path}/extents`)).text) as WireExtent[];
    for (const query of ['', '?start=0&limit=9999']) {
      const answer = await wire.client().request('GET', `${path}/extents${query}`, {
        headers: { ...wire.credentials(path), Accept: 'application/x-ndjson' },
      });
      assert.equal(answer.headers['content-type'], 'application/x-ndjson');
      const lines = answer.text.split('\n');
      assert.equal(lines.pop(), '');
      assert.deepEqual(
        lines.map((line) => JSON.parse(line) as WireExtent),
        whole,
      );
    }
  });

  test('of a file with thousands are found by other threads, alike in all forms', async () => {
    const blocks = 12_000;
    const image = await wire.addImage(blocks * 4 * KiB, { size: blocks * 4 * KiB, ops: ['read'] });
    const descriptor = openSync(image.file, 'r+');
    for (let block = 0; block < blocks; block += 2) {
      writeSync(descriptor, Buffer.alloc(4 * KiB, 1), 0, 4 * KiB, block * 4 * KiB);
    }
    closeSync(descriptor);
    const expected = Array.from({ length: blocks }, (_, index) => ({
      start: index * 4 * KiB,
      length: 4 * KiB,
      zero: index % 2 === 1,
      hole: false,
    }));
    const path = `${image.path}/extents`;
    assert.deepEqual(JSON.parse((await wire.client().request('GET', path)).text), expected);
    const pages = await pagesOf(wire, `${path}?limit=5000`);
    assert.deepEqual(
      pages.flatMap(({ text }) => JSON.parse(text) as WireExtent[]),
      expected,
    );
    const { text } = await wire.client().request('GET', path, {
      headers: { ...wire.credentials(image.path), Accept: 'application/x-ndjson' },
    });
    assert.deepEqual(
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as WireExtent),
      expected,
    );
  });

  describe('of an NBD export', { skip: missing('nbdkit', 'qemu-nbd', 'qemu-img') }, () => {
    let workspace: Workspace;
    before(async () => {
      workspace = await Workspace.create();
    });
    after(async () => {
      await workspace[Symbol.asyncDispose]();
    });

    test('of 8 TiB that is slow and empty come soon, and end with what is known', async () => {
      const server = await workspace.nbdkit('--filter=delay', 'memory', `${8 * TiB}`, 'delay-extents=50ms');
      const { path } = await wire.addImage(undefined, { url: server.url, size: 8 * TiB, ops: ['read'] });
      let start = 0;
      for (let page = 0; page < 2; page += 1) {
        const answer = await wire.client().request('GET', `${path}/extents?limit=10&start=${start}`);
        const [extent, ...others] = JSON.parse(answer.text) as WireExtent[];
        assert.deepEqual(others, []);
        assert.equal(extent?.start, start);
        assert.equal(nextPageStart(answer.headers.link), start + extent.length);
        start += extent.length;
      }
    });

    test('are asked for digests of a part for that part alone', async () => {
      // Each look has at most 2 GiB: all before the part would take minutes.
      const server = await workspace.nbdkit('--filter=delay', 'memory', `${8 * TiB}`, 'delay-extents=50ms');
      const { path } = await wire.addImage(undefined, { url: server.url, size: 8 * TiB, ops: ['read'] });
      const start = 8 * TiB - 2 * MiB;
      const query = `block_size=${MiB}&start=${start}&length=${2 * MiB}`;
      const { text } = await wire.client().request('GET', `${path}/digests?${query}`);
      const digests = JSON.parse(text) as { readonly start: number; readonly zero?: boolean }[];
      assert.deepEqual(
        digests.map((digest) => [digest.start, digest.zero]),
        [
          [start, true],
          [start + MiB, true],
        ],
      );
    });

    test('of blocks of 4 KiB begin at any byte', async () => {
      const path = workspace.path(`spread-${Math.random()}.raw`);
      writeFileSync(path, '');
      truncateSync(path, sizeBytes);
      spread(path, pieces, 64 * KiB);
      const server = await workspace.qemuNbd('--read-only', '--format=raw', path);
      const image = await wire.addImage(undefined, { url: server.url, size: sizeBytes, ops: ['read'] });
      const pages = await pagesOf(wire, `${image.path}/extents?start=1001&length=200001&limit=2`);
      const extents = pages.flatMap(({ text }) => JSON.parse(text) as WireExtent[]);
      assert.deepEqual(
        extents.map(({ start, length, zero }) => [start, length, zero]),
        [
          [1001, 64_535, false],
          [65_536, 65_536, true],
          [131_072, 65_536, false],
          [196_608, 4394, true],
        ],
      );
    });
  });
});
