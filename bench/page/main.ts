// How fast the page uploads in Chromium, beside curl through the same proxy over HTTPS, in turn:
// `npm run bench:page -- [MiB] [rounds]`.
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { MiB } from '../../src/base/units.js';
import { Deployment } from '../../test/e2e/deployment.js';
import { assertSameImage, writeRandomImage } from '../../test/support/images.js';
import { needs } from '../../test/support/requirements.js';
import { sendBarely, type BareUpload } from './bare-sender.js';
import { PlainBrowser } from './plain-browser.js';

const missing = needs('chromium', 'curl');
if (missing !== false) throw new Error(missing);
const [sizeMiB = '1024', rounds = '3'] = process.argv.slice(2);
const sizeBytes = Number(sizeMiB) * MiB;
const timeoutMs = 600_000;

await using deployment = await Deployment.start();
const source = deployment.folder.file('source.raw');
await writeRandomImage(source, sizeBytes);

interface Target {
  readonly ticketId: string;
  readonly signedTicket: string;
}

async function withTarget(work: (target: Target) => Promise<number>): Promise<number> {
  const file = deployment.folder.file(`${randomUUID()}.raw`);
  const image = await open(file, 'w');
  await image.truncate(sizeBytes);
  await image.close();
  const ticketId = await deployment.addTicket('write', file, sizeBytes);
  const seconds = await work({ ticketId, signedTicket: deployment.signTicket(ticketId) });
  await assertSameImage(file, source);
  await rm(file);
  return seconds;
}

/** Uploads and flushes, as the page does. */
async function byCurl({ ticketId, signedTicket }: Target): Promise<number> {
  const url = `${deployment.proxy.url}/images/${ticketId}`;
  const begun = performance.now();
  const args = ['-sSk', '--fail-with-body', '-T', source, '-H', `Authorization: ${signedTicket}`, url];
  await promisify(execFile)('curl', args);
  return (performance.now() - begun) / 1000;
}

async function atPage<T>({ signedTicket }: Target, work: (browser: PlainBrowser) => Promise<T>): Promise<T> {
  const profile = deployment.folder.file(`profile-${randomUUID()}`);
  await using browser = await PlainBrowser.start(profile);
  await browser.open(`${deployment.proxy.url}/transfer/#ticket=${encodeURIComponent(signedTicket)}`);
  await browser.until(shown('disk-step'), timeoutMs);
  return await work(browser);
}

const shown = (id: string): string => `document.getElementById('${id}')?.hidden === false`;

/** @returns how many seconds it took from the click on the button to the words that it is done */
async function byPage(browser: PlainBrowser, verify: boolean): Promise<number> {
  await browser.chooseFile('#file', source);
  await browser.until("!document.getElementById('start').disabled", timeoutMs);
  await browser.evaluate(`document.getElementById('verify').checked = ${verify}`);
  const begun = performance.now();
  await browser.evaluate("document.getElementById('start').click()");
  let [heapMax, buffersMax] = [0, 0];
  await browser.until(shown('end-step'), timeoutMs, async () => {
    const { heapBytes, bufferBytes } = await browser.memory();
    heapMax = Math.max(heapMax, heapBytes);
    buffersMax = Math.max(buffersMax, bufferBytes);
  });
  const seconds = (performance.now() - begun) / 1000;
  const ended = await browser.evaluate("document.getElementById('end-step').className");
  const words = await browser.evaluate("document.getElementById('end-step').innerText");
  if (!String(ended).includes('done')) throw new Error(String(words));
  const [heap, buffers] = [heapMax, buffersMax].map((bytes) => (bytes / MiB).toFixed(0));
  console.log(`the tab at most: heap ${heap} MiB, array buffers ${buffers} MiB`);
  return seconds;
}

const line = (name: string, seconds: number): void => {
  console.log(`${name.padEnd(24)} ${seconds.toFixed(2)} s  ${(sizeBytes / MiB / seconds).toFixed(0)} MiB/s`);
};
function bare({ ticketId, signedTicket }: Target, bodies: BareUpload['bodies']): BareUpload {
  return { file: source, path: `/images/${ticketId}`, signedTicket, bodies };
}

/** What is measured beside curl, in turn with it. */
const ways: Readonly<Record<string, (target: Target) => Promise<number>>> = {
  page: (target) => atPage(target, (browser) => byPage(browser, false)),
  'page, compared': (target) => atPage(target, (browser) => byPage(browser, true)),
  'bare fetch of bytes': (target) => atPage(target, (browser) => sendBarely(browser, bare(target, 'bytes'))),
  'bare fetch of Blobs': (target) => atPage(target, (browser) => sendBarely(browser, bare(target, 'blobs'))),
};
for (let round = 0; round < Number(rounds); round++) {
  const curl = await withTarget(byCurl);
  line('curl', curl);
  for (const [name, work] of Object.entries(ways)) {
    const seconds = await withTarget(work);
    line(name, seconds);
    console.log(`${name} / curl ${(curl / seconds).toFixed(2)}`);
  }
}
