import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chromium, type BrowserContextOptions, type Locator, type Page } from 'playwright-core';
import { MiB } from '../../src/base/units.js';
import { ImagesClient } from '../support/client.js';
import { projectRoot } from '../support/project.js';
import { needs, programPath } from '../support/requirements.js';
import { Deployment } from './deployment.js';

interface DisposableBrowser extends AsyncDisposable {
  newPage(options?: BrowserContextOptions): Promise<Page>;
}

/** A browser that asks nobody but the pages it is told to open; `await using` ends it. */
async function openBrowser(): Promise<DisposableBrowser> {
  const browser = await chromium.launch({
    executablePath: programPath('chromium') ?? '',
    args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  return {
    newPage: (options) => browser.newPage({ ignoreHTTPSErrors: true, ...options }),
    [Symbol.asyncDispose]: () => browser.close(),
  };
}

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

  /** Opens a session for the ticket, and has the page show it with what is tried out. */
  async function authorize(page: Page, ticketId: string): Promise<void> {
    const opened = await client.request('POST', '/sessions', {
      headers: { Authorization: deployment.signTicket(ticketId), 'Content-Length': 0 },
    });
    await page.locator('.auth-wrapper .btn.authorize').click();
    const session = page.locator('.auth-container', { hasText: 'sessionHeader' });
    await session.locator('input').fill(String(opened.headers['session-id']));
    await session.locator('button[type=submit]').click();
    await page.locator('.modal-ux .btn-done').first().click();
  }

  for (const name of contractNames) {
    test(`has the committed contract ${name}.json`, async () => {
      const answer = await client.request('GET', `/docs/${name}.json`);
      assert.equal(answer.status, 200, answer.text);
      assert.match(String(answer.headers['content-type']), /^application\/json\b/);
      const committed = await readFile(join(projectRoot, 'openapi', `${name}.json`), 'utf8');
      const { servers, ...served } = JSON.parse(answer.text) as { servers: { url: string }[] };
      const { servers: committedServers, ...rest } = JSON.parse(committed) as { servers: { url: string }[] };
      assert.deepEqual(served, rest);
      // What is tried out goes to this proxy, whatever name it is reached by.
      assert.deepEqual(
        servers.map(({ url }) => url),
        [...(name === 'proxy' ? ['/'] : []), ...committedServers.map(({ url }) => url)],
      );
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
      await using browser = await openBrowser();
      const page = await browser.newPage();
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
    },
  );

  test('allows a browser no script or style that the proxy itself does not serve', async () => {
    const { headers } = await client.request('GET', '/docs');
    const policy = String(headers['content-security-policy']);
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self' 'sha256-[^ ]+';/);
    assert.doesNotMatch(policy, /unsafe|\*/);
  });

  test(
    'downloads a range of an image in a session, when it is tried out in a browser',
    { skip: needs('chromium') },
    async () => {
      const image = deployment.folder.file('image.raw');
      await writeFile(image, Buffer.alloc(MiB, 'x'));
      const ticketId = await deployment.addTicket('read', image, MiB);
      await using browser = await openBrowser();
      const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
      const complaints: string[] = [];
      page.on('console', (message) => {
        if (message.type() === 'error') complaints.push(message.text());
      });
      await page.goto(`${deployment.proxy.url}/docs`);
      await authorize(page, ticketId);

      const operation = page.locator('#operations-images-readImage');
      await operation.locator('.opblock-summary-control').click();
      await operation.locator('.try-out__btn').click();
      await operation.locator('tr[data-param-name=id] input').fill(ticketId);
      await operation.locator('tr[data-param-name=Range] input').fill('bytes=100-299');
      const answered = page.waitForResponse((response) => response.url().includes(`/images/${ticketId}`));
      await operation.locator('.btn.execute').click();
      const answer = await answered;
      assert.equal(answer.status(), 206);
      const shown = operation.locator('.live-responses-table');
      await shown.getByText(`content-range: bytes 100-299/${MiB}`).waitFor();
      const downloading = page.waitForEvent('download');
      await shown.getByText('Download file').click();
      const downloaded = await readFile(await (await downloading).path());
      assert.ok(downloaded.equals(Buffer.alloc(200, 'x')), downloaded.toString('latin1'));
      if (process.env['UPDATE_SCREENSHOTS'] !== undefined) {
        await operation.locator('.opblock-summary').scrollIntoViewIfNeeded();
        await page.screenshot({ path: join(projectRoot, 'docs', 'images', 'swagger-ui.png') });
      }
      assert.deepEqual(complaints, []);
    },
  );

  test(
    'does no harm to an image when what it fills in is executed',
    { skip: needs('chromium') },
    async () => {
      const image = deployment.folder.file('kept.raw');
      await writeFile(image, Buffer.alloc(2 * MiB, 'x'));
      const ticketId = await deployment.addTicket('write', image, 2 * MiB);
      await using browser = await openBrowser();
      const page = await browser.newPage();
      await page.goto(`${deployment.proxy.url}/docs`);
      await authorize(page, ticketId);

      const open = async (operationId: string): Promise<Locator> => {
        const operation = page.locator(`.opblock[id$="-${operationId}"]`);
        await operation.locator('.opblock-summary-control').click();
        await operation.locator('.try-out__btn').click();
        return operation;
      };
      for (const [operationId, status] of [
        // It fills in `Prefer: respond-async` and a flush, so that a job begins.
        ['patchImage', 202],
        ['putSignedTicket', 403],
      ] as const) {
        const operation = await open(operationId);
        if (operationId === 'patchImage')
          await operation.locator('tr[data-param-name=id] input').fill(ticketId);
        const answered = page.waitForResponse((response) => response.request().method() !== 'OPTIONS');
        await operation.locator('.btn.execute').click();
        assert.equal((await answered).status(), status, operationId);
      }
      // What removes something, or writes, is not even sent before somebody has said what.
      for (const operationId of [
        'deleteSession',
        'deleteSignedTicket',
        'putSignedTicketById',
        'writeImage',
      ]) {
        const operation = await open(operationId);
        assert.equal(await operation.locator('tr[data-param-name=id] input').inputValue(), '', operationId);
        await operation.locator('.btn.execute').click();
        await operation.locator('.validation-errors').waitFor();
      }
      assert.ok((await readFile(image)).equals(Buffer.alloc(2 * MiB, 'x')));
      assert.equal((await deployment.daemon.vdsm.getTicket(ticketId)).canceled, false);
    },
  );

  test(
    'offers to try out what a browser can reach, and not the control service',
    {
      skip: needs('chromium'),
    },
    async () => {
      await using browser = await openBrowser();
      const page = await browser.newPage();
      await page.goto(`${deployment.proxy.url}/docs`);
      for (const [name, operationId, buttons] of [
        ['proxy', 'openSession', 1],
        ['control', 'removeAllTickets', 0],
        ['control', 'putTicket', 0],
        ['daemon', 'readImage', 1],
      ] as const) {
        await page.locator('select#select').selectOption({ label: name });
        const operation = page.locator(`.opblock[id$="-${operationId}"]`);
        await operation.locator('.opblock-summary-control').click();
        await operation.locator('.responses-wrapper').waitFor();
        assert.equal(await operation.locator('.try-out__btn').count(), buttons, `${name} ${operationId}`);
      }
    },
  );

  test('shows a refusal in a line until it is opened', { skip: needs('chromium') }, async () => {
    await using browser = await openBrowser();
    const page = await browser.newPage();
    await page.goto(`${deployment.proxy.url}/docs`);
    const operation = page.locator('#operations-images-patchImage');
    await operation.locator('.opblock-summary-control').click();
    const row = (code: number): Locator =>
      operation.locator(`.responses-table tr.response[data-code="${code}"]`);
    await row(200).getByText('X-Request-Id').waitFor();
    await row(503).getByText('The daemon cannot be reached').waitFor();
    assert.equal(await row(503).getByText('Retry-After', { exact: true }).count(), 1);
    await row(503).getByRole('button', { name: 'Show response 503' }).click();
    await row(503).getByText('X-Request-Id').waitFor();
    await row(503).getByText('The host of the image cannot be reached').waitFor();
  });

  test('leaves the routes of the API as they are', async () => {
    assert.equal((await client.request('GET', '/docs/none.json')).status, 404);
    assert.deepEqual(Object.keys(JSON.parse((await client.request('GET', '/info/')).text) as object), [
      'version',
    ]);
  });
});

describe('the API documentation of a daemon', () => {
  test('opens with the contract of the daemon', { skip: needs('chromium') }, async () => {
    await using deployment = await Deployment.start({ daemon: { docs: { enable: true } } });
    await using browser = await openBrowser();
    const page = await browser.newPage();
    await page.goto(`${deployment.daemon.url}/docs`);
    await page.locator('.info .title', { hasText: 'ovirt-imageio images API' }).waitFor();
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
