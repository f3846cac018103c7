import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import { ImagesClient } from '../support/client.js';
import { projectRoot } from '../support/project.js';
import { needs, programPath } from '../support/requirements.js';
import { Deployment } from './deployment.js';

const contractNames = ['proxy', 'daemon', 'control'];

describe('the API documentation of the proxy', () => {
  let deployment: Deployment;
  let client: ImagesClient;

  before(async () => {
    deployment = await Deployment.start();
    client = new ImagesClient(deployment.proxy.address('remote'));
  });
  after(async () => {
    client.close();
    await deployment[Symbol.asyncDispose]();
  });

  for (const name of contractNames) {
    test(`has the committed contract ${name}.json`, async () => {
      const answer = await client.request('GET', `/docs/${name}.json`);
      assert.equal(answer.status, 200, answer.text);
      assert.match(String(answer.headers['content-type']), /^application\/json\b/);
      const committed = await readFile(join(projectRoot, 'openapi', `${name}.json`), 'utf8');
      assert.deepEqual(JSON.parse(answer.text), JSON.parse(committed));
    });
  }

  test('is a page whose scripts and styles the proxy itself serves', async () => {
    const page = await client.request('GET', '/docs');
    assert.equal(page.status, 200);
    assert.match(String(page.headers['content-type']), /^text\/html\b/);
    const links = [...page.text.matchAll(/<(?:script|link)\b[^>]*\b(?:src|href)="([^"]+)"/g)].map(
      ([, link]) => link ?? '',
    );
    assert.ok(links.length >= 3, page.text);
    for (const link of links) {
      const { origin, pathname } = new URL(link, `${deployment.proxy.url}/docs`);
      assert.equal(origin, deployment.proxy.url, link);
      const asset = await client.request('GET', pathname);
      assert.equal(asset.status, 200, link);
      assert.ok(asset.body.length > 0, link);
    }
  });

  test(
    'shows every operation in a browser, which asks nobody else',
    { skip: needs('chromium') },
    async () => {
      const browser = await chromium.launch({
        executablePath: programPath('chromium') ?? '',
        args: ['--no-sandbox'],
      });
      try {
        const page = await browser.newPage({ ignoreHTTPSErrors: true });
        const origins = new Set<string>();
        const errors: string[] = [];
        page.on('request', (request) => {
          const { protocol, origin } = new URL(request.url());
          if (protocol !== 'data:') origins.add(origin);
        });
        page.on('pageerror', (error) => errors.push(error.message));
        await page.goto(`${deployment.proxy.url}/docs`);
        for (const name of contractNames) {
          const committed = JSON.parse(
            await readFile(join(projectRoot, 'openapi', `${name}.json`), 'utf8'),
          ) as { info: { title: string }; paths: Record<string, object> };
          await page.locator('select#select').selectOption({ label: name });
          await page.locator('.info .title', { hasText: committed.info.title }).waitFor();
          const operations = Object.values(committed.paths).flatMap((path) => Object.keys(path));
          await page
            .locator('.opblock')
            .nth(operations.length - 1)
            .waitFor();
          assert.equal(await page.locator('.opblock').count(), operations.length, name);
        }
        assert.deepEqual([...origins], [deployment.proxy.url]);
        assert.deepEqual(errors, []);
      } finally {
        await browser.close();
      }
    },
  );

  test('leaves the routes of the API as they are', async () => {
    assert.equal((await client.request('GET', '/docs/none.json')).status, 404);
    assert.deepEqual(Object.keys(JSON.parse((await client.request('GET', '/info/')).text) as object), [
      'version',
    ]);
  });
});

describe('a proxy with [docs] enable = false', () => {
  test('has no documentation', async () => {
    await using deployment = await Deployment.start({ proxy: { docs: { enable: false } } });
    const client = new ImagesClient(deployment.proxy.address('remote'));
    for (const path of ['/docs', '/docs/proxy.json'])
      assert.equal((await client.request('GET', path)).status, 404);
    client.close();
  });
});
