import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { ImagesClient } from '../support/client.js';
import { Deployment } from './deployment.js';

describe('the page for transfers', () => {
  let deployment: Deployment;
  let client: ImagesClient;
  before(async () => {
    deployment = await Deployment.start({ daemon: { transfer_page: { enable: true } } });
    client = new ImagesClient(deployment.proxy.address('remote'));
  });
  after(async () => {
    client.close();
    await deployment[Symbol.asyncDispose]();
  });

  async function get(path: string, headers: Record<string, string> = {}): ReturnType<typeof client.request> {
    return client.request('GET', path, { headers });
  }

  /** What the document loads. */
  async function assets(): Promise<string[]> {
    const { text } = await get('/transfer/');
    return [...text.matchAll(/<(?:script|link)\b[^>]*\b(?:src|href)="([^"]+)"/g)].map(
      ([, link]) => link ?? '',
    );
  }

  test('is served with a policy that allows nothing from elsewhere', async () => {
    for (const path of ['/transfer', '/transfer/', ...(await assets())]) {
      const { status, headers } = await get(path);
      assert.equal(status, 200, path);
      assert.equal(
        headers['content-security-policy'],
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; worker-src 'self'; " +
          "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      );
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['referrer-policy'], 'no-referrer');
    }
  });

  test('is asked for again only when it has changed', async () => {
    const { headers } = await get('/transfer/');
    assert.equal(headers['cache-control'], 'no-cache');
    const again = await get('/transfer/', { 'If-None-Match': String(headers.etag) });
    assert.deepEqual([again.status, again.body.length], [304, 0]);
    assert.equal((await get('/transfer/', { 'If-None-Match': '"another"' })).status, 200);
    for (const path of await assets()) {
      assert.match(path, /^\/transfer\/[a-z]+-[0-9a-f]{12}\.(js|css|svg)$/);
      assert.match(String((await get(path)).headers['cache-control']), /immutable/);
    }
  });

  test('is compressed for whoever takes that', async () => {
    for (const path of ['/transfer/', ...(await assets())]) {
      const plain = await get(path);
      assert.equal(plain.headers['content-encoding'], undefined);
      assert.equal(plain.headers.vary, 'Accept-Encoding');
      for (const [accepted, coding, decode] of [
        ['gzip, deflate, br', 'br', brotliDecompressSync],
        ['gzip;q=0.5, br;q=0', 'gzip', gunzipSync],
      ] as const) {
        const coded = await get(path, { 'Accept-Encoding': accepted });
        assert.equal(coded.headers['content-encoding'], coding);
        assert.deepEqual(decode(coded.body), plain.body);
        assert.notEqual(coded.headers.etag, plain.headers.etag);
      }
    }
  });

  test('has none of its own beside the files that it names', async () => {
    for (const path of [
      '/transfer/x',
      '/transfer/files.json',
      '/transfer/../package.json',
      '/transfer/index.html',
    ])
      assert.equal((await get(path)).status, 404, path);
  });

  test('is at a daemon that allows it, and at no other', async () => {
    const daemon = new ImagesClient(deployment.daemon.address('remote'));
    assert.equal((await daemon.request('GET', '/transfer/')).status, 200);
    daemon.close();
    await using other = await Deployment.start({ proxy: { transfer_page: { enable: false } } });
    for (const role of ['daemon', 'proxy'] as const) {
      const without = new ImagesClient(other[role].address('remote'));
      assert.equal((await without.request('GET', '/transfer/')).status, 404, role);
      without.close();
    }
  });

  test('is not on the control service', async () => {
    assert.equal((await deployment.proxy.vdsm.request('GET', '/transfer/')).status, 404);
  });
});
