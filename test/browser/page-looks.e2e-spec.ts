import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { KiB, MiB } from '../../src/base/units.js';
import { eventually } from '../support/deadline.js';
import { writeRandomImage } from '../support/images.js';
import { projectRoot } from '../support/project.js';
import { needs } from '../support/requirements.js';
import {
  chooseFile,
  startUpload,
  TransferPageScene,
  waitForDone,
  waitForEnd,
  type SceneImage,
} from './transfer-page.js';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface AxeFindings {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}

/** `UPDATE_SCREENSHOTS=1` takes the pictures of the documentation anew, of a transfer of some length. */
const isUpdating = process.env['UPDATE_SCREENSHOTS'] !== undefined;
const imageBytes = (isUpdating ? 96 : 8) * MiB;
const middleBytes = (isUpdating ? 52 : 3.5) * MiB;
const budgetBytes = 150 * KiB;

const wide = { viewport: { width: 900, height: 760 } } as const;
const phone = { viewport: { width: 320, height: 640 }, deviceScaleFactor: 2, hasTouch: true } as const;

describe('the page for transfers', { skip: needs('chromium') }, () => {
  let scene: TransferPageScene;
  let file: string;
  before(async () => {
    scene = await TransferPageScene.start();
    file = scene.deployment.folder.file('fedora-server.raw');
    await writeRandomImage(file, imageBytes);
  });
  after(() => scene[Symbol.asyncDispose]());

  /** Nothing that axe finds, and nothing to scroll to the side for. */
  async function assertAccessible(page: Page, state: string): Promise<void> {
    // Not as a script of the page, whose policy allows none.
    await page.evaluate(axe);
    const { violations } = await page.evaluate<AxeFindings>('axe.run()');
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
    assert.deepEqual(found, [], state);
    const { scroll, client } = await page.evaluate<{ scroll: number; client: number }>(
      '({ scroll: document.documentElement.scrollWidth, client: document.documentElement.clientWidth })',
    );
    assert.ok(scroll <= client, `${state} is ${scroll} pixels wide on ${client}`);
  }

  async function picture(page: Page, name: string): Promise<void> {
    const path = join(projectRoot, 'docs', 'images', `${name}.png`);
    const taken = await page.screenshot({ animations: 'disabled', ...(isUpdating ? { path } : {}) });
    assert.ok(taken.length > 0);
  }

  const looks: readonly [string, BrowserContextOptions][] = [
    ['light', { ...wide, colorScheme: 'light' }],
    ['dark', { ...wide, colorScheme: 'dark' }],
    ['phone', { ...phone, colorScheme: 'light' }],
  ];
  for (const [name, options] of looks)
    test(`can be used by everybody, ${name}`, async () => {
      const image = await scene.target(imageBytes);
      await using visit = await scene.visit(options);
      const { page } = visit;
      await page.goto(`${scene.url}/transfer/`);
      await assertAccessible(page, 'the first step');
      await page.locator('#ticket-use').click();
      await page.locator('#notice').waitFor();
      await assertAccessible(page, 'a notice');
      await chooseFile(page, image.link, file);
      await assertAccessible(page, 'the disk');
      const held = scene.way.holdAfter(middleBytes);
      await page.locator('#start').click();
      await held;
      // What is shown is a quarter of a second old at most.
      await page.waitForTimeout(500);
      await assertAccessible(page, 'a transfer');
      await picture(page, `transfer-page-${name}`);
      await page.locator('#cancel').click();
      await assertAccessible(page, 'a question');
      await page.locator('#cancel-no').click();
      const { targetPort } = scene.way;
      scene.way.targetPort = undefined;
      scene.way.cut();
      scene.way.release();
      await page.locator('#waiting').waitFor();
      await assertAccessible(page, 'a transfer that waits');
      scene.way.targetPort = targetPort;
      await waitForDone(page, 120_000);
      await assertAccessible(page, 'the end');
      if (name === 'light') await picture(page, 'transfer-page-done');
      const complaints = visit.complaints.filter((text) => !/ERR_(CONNECTION|EMPTY)/.test(text));
      assert.deepEqual([complaints, [...visit.origins]], [[], [scene.url]]);
    });

  test('can be used by everybody when it has failed', async () => {
    const image = await scene.target(imageBytes - MiB);
    await using visit = await scene.visit({ ...wide, colorScheme: 'light' });
    const { page } = visit;
    await startUpload(page, image.link, file);
    await waitForEnd(page);
    await assertAccessible(page, 'a failure');
    await picture(page, 'transfer-page-error');
    assert.deepEqual(visit.complaints, []);
  });

  test('takes the keyboard alone, and says what happens', async () => {
    const image: SceneImage = await scene.target(imageBytes);
    await using visit = await scene.visit();
    const { page } = visit;
    const focused = (): Promise<string> => page.evaluate<string>('document.activeElement.id');
    await page.goto(`${scene.url}/transfer/`);
    await page.keyboard.press('Tab');
    assert.equal(await focused(), 'ticket');
    await page.keyboard.insertText(image.signedTicket);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.locator('#disk-step').waitFor();
    assert.equal(await focused(), 'disk-title');
    await page.keyboard.press('Tab');
    assert.equal(await focused(), 'choose');
    await page.setInputFiles('#file', file);
    await page.locator('#chosen[aria-live=polite]', { hasText: 'fedora-server.raw' }).waitFor();
    for (const id of ['verify', 'start']) {
      await page.keyboard.press('Tab');
      assert.equal(await focused(), id);
    }
    const held = scene.way.holdAfter(middleBytes);
    await page.keyboard.press('Enter');
    await held;
    assert.equal(await focused(), 'run-title');
    await page.locator('#live[role=status]', { hasText: 'Moving data' }).waitFor({ state: 'attached' });
    await page.keyboard.press('Tab');
    assert.equal(await focused(), 'pause');
    await page.keyboard.press('Enter');
    assert.equal(await focused(), 'resume');
    scene.way.release();
    await page.keyboard.press('Enter');
    assert.equal(await focused(), 'pause');
    await waitForDone(page);
    assert.equal(await focused(), 'end-title');
  });

  test('is painted before its scripts are there', async () => {
    await using visit = await scene.visit();
    const { page } = visit;
    const asked = Promise.withResolvers<undefined>();
    const wait = Promise.withResolvers<undefined>();
    await page.route('**/*.js', async (route) => {
      asked.resolve(undefined);
      await wait.promise;
      await route.continue();
    });
    await page.goto(`${scene.url}/transfer/`, { waitUntil: 'commit' });
    await asked.promise;
    const paints = "performance.getEntriesByName('first-contentful-paint').length";
    await eventually(async () => ((await page.evaluate(paints)) === 1 ? true : undefined), 'the first paint');
    assert.equal(await page.getByRole('heading', { name: 'Disk transfer' }).isVisible(), true);
    wait.resolve(undefined);
    await page.waitForLoadState('load');
  });

  test('says so where there are no scripts', async () => {
    await using visit = await scene.visit({ javaScriptEnabled: false });
    await visit.page.goto(`${scene.url}/transfer/`);
    assert.match(await visit.page.locator('noscript p').innerText(), /^This page needs JavaScript/);
  });

  test('is small, and loaded once', async () => {
    const image = await scene.target(imageBytes);
    await using visit = await scene.visit();
    const { page } = visit;
    const sizes: Promise<number>[] = [];
    page.on('response', (response) => {
      if (response.url().includes('/transfer/'))
        sizes.push(
          response
            .request()
            .sizes()
            .then(({ responseBodySize, responseHeadersSize }) => {
              return responseBodySize + responseHeadersSize;
            }),
        );
    });
    await page.goto(image.link);
    await page.locator('#disk-step').waitFor();
    const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
    assert.ok(sizes.length >= 4 && bytes <= budgetBytes, `${bytes} bytes in ${sizes.length} answers`);
  });
});
