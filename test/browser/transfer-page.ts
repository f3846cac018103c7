import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import {
  chromium,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Page,
} from 'playwright-core';
import { RangeSet } from '#sdk/transfer';
import { Deployment, type DeploymentOptions } from '../e2e/deployment.js';
import { freePort } from '../support/free-port.js';
import { programPath } from '../support/requirements.js';
import { HeldWay } from './held-way.js';

const executablePath = programPath('chromium') ?? 'chromium';

/** It asks nobody but the pages that it is told to open, and believes an authority that nobody knows. */
const args = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--ignore-certificate-errors',
];

/** An image at the daemon, and what the page is opened with to move it. */
export interface SceneImage {
  readonly ticketId: string;
  readonly file: string;
  readonly signedTicket: string;
  /** Of the page, with the ticket in it. */
  readonly link: string;
}

/** A daemon, a proxy with the page, a way to it that can be held or cut, and a browser. */
export class TransferPageScene implements AsyncDisposable {
  private constructor(
    readonly deployment: Deployment,
    readonly way: HeldWay,
    private readonly browser: Browser,
  ) {}

  static async start(options: DeploymentOptions = {}): Promise<TransferPageScene> {
    // The page finds the proxy where it was when it is started again.
    const port = await freePort();
    const deployment = await Deployment.start({ ...options, proxy: { remote: { port }, ...options.proxy } });
    try {
      const browser = await chromium.launch({ executablePath, args });
      return new TransferPageScene(deployment, await HeldWay.to(port), browser);
    } catch (error) {
      await deployment[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Of the proxy, as the browser reaches it. */
  get url(): string {
    return `https://localhost:${this.way.port}`;
  }

  /** An empty image to upload to. */
  async target(sizeBytes: number, timeoutSeconds = 300): Promise<SceneImage> {
    const file = this.deployment.folder.file(`${randomUUID()}.raw`);
    await using image = await open(file, 'w');
    await image.truncate(sizeBytes);
    return await this.image('write', file, sizeBytes, { timeout: timeoutSeconds });
  }

  async image(
    operation: 'read' | 'write',
    file: string,
    sizeBytes: number,
    more: { readonly timeout?: number; readonly filename?: string } = {},
  ): Promise<SceneImage> {
    const ticketId = await this.deployment.addTicket(operation, file, sizeBytes, more);
    const signedTicket = this.deployment.signTicket(ticketId);
    return { ticketId, file, signedTicket, link: this.linkOf(signedTicket) };
  }

  /**
   * Opens the link and starts an upload of the file, of which no more than so much comes through until
   * `way.release()`. Resolves when that much has come.
   */
  async startHeldUpload(page: Page, link: string, file: string, bytes: number): Promise<void> {
    const held = this.way.holdAfter(bytes);
    await startUpload(page, link, file);
    await held;
  }

  linkOf(signedTicket: string): string {
    return `${this.url}/transfer/#ticket=${encodeURIComponent(signedTicket)}`;
  }

  /** What the daemon has written of uploads to the image so far, in order. */
  writesTo({ ticketId }: SceneImage): Writes[] {
    const name = `(ticket/${ticketId.slice(0, 18)}`;
    return this.deployment.daemon.log.flatMap((record) => {
      const { operation, transfer_id: transfer, offset, bytes } = record;
      if (operation !== 'write' || !String(transfer).startsWith(name)) return [];
      return [{ offsetBytes: Number(offset), lengthBytes: Number(bytes) }];
    });
  }

  /** A browser as of somebody who was never here, with one tab. */
  async visit(options: BrowserContextOptions = {}): Promise<Visit> {
    return Visit.of(await this.browser.newContext(options));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser.close();
    await this.way[Symbol.asyncDispose]();
    await this.deployment[Symbol.asyncDispose]();
  }
}

/** What one request has written. */
export interface Writes {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** How many of the bytes of `later` are among those of `earlier`. */
export function writtenTwice(earlier: readonly Writes[], later: readonly Writes[]): number {
  const set = RangeSet.of(earlier);
  let bytes = 0;
  for (const range of later) for (const part of set.parts(range)) bytes += part.lengthBytes;
  return bytes;
}

/** One visitor. */
export class Visit implements AsyncDisposable {
  /** What the browser complained about. */
  readonly complaints: string[] = [];
  /** To whom it has sent a request. */
  readonly origins = new Set<string>();

  private constructor(
    readonly context: BrowserContext,
    readonly page: Page,
  ) {
    this.#watch(page);
  }

  static async of(context: BrowserContext): Promise<Visit> {
    return new Visit(context, context.pages()[0] ?? (await context.newPage()));
  }

  async anotherTab(): Promise<Page> {
    const page = await this.context.newPage();
    this.#watch(page);
    return page;
  }

  #watch(page: Page): void {
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(message.text());
    });
    page.on('pageerror', ({ message }) => this.complaints.push(message));
    page.on('request', (request) => {
      const { protocol, origin } = new URL(request.url());
      if (!['data:', 'blob:'].includes(protocol)) this.origins.add(origin);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context.close();
  }
}

/** A browser with a profile that stays when it is killed. */
export class KillableBrowser implements AsyncDisposable {
  private constructor(private readonly context: BrowserContext) {}

  static async start(profile: string): Promise<KillableBrowser> {
    return new KillableBrowser(await chromium.launchPersistentContext(profile, { executablePath, args }));
  }

  async newPage(): Promise<Page> {
    return this.context.newPage();
  }

  /** As a crash or the kernel does. */
  async kill(): Promise<void> {
    const closed = new Promise((resolve) => this.context.once('close', resolve));
    const session = await this.context.browser()?.newBrowserCDPSession();
    const { processInfo } = (await session?.send('SystemInfo.getProcessInfo')) ?? { processInfo: [] };
    const main = processInfo.find(({ type }) => type === 'browser');
    if (main === undefined) throw new Error('The browser does not tell its process');
    process.kill(main.id, 'SIGKILL');
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context.close();
  }
}

/** Opens the link, and chooses the file. */
export async function chooseFile(page: Page, link: string, file: string): Promise<void> {
  await page.goto(link);
  await page.locator('#disk-step').waitFor();
  await page.setInputFiles('#file', file);
}

/** Opens the link and starts an upload of the file. */
export async function startUpload(page: Page, link: string, file: string): Promise<void> {
  await chooseFile(page, link, file);
  await page.locator('#start').click();
  await page.locator('#run-step, #end-step').locator('visible=true').waitFor();
}

/** Chooses the file again of which an upload was interrupted, and presses a button: as it is, to go on. */
export async function goOnWith(page: Page, file: string, button = '#start'): Promise<void> {
  await page.locator('#interrupted').waitFor();
  await page.setInputFiles('#file', file);
  await page.locator(button).click();
}

/** Waits for the end of a transfer. @throws with what the page says when it failed */
export async function waitForDone(page: Page, timeoutMs = 60_000): Promise<string> {
  const text = await waitForEnd(page, timeoutMs);
  if (!(await page.locator('#end-step.done').isVisible())) throw new Error(`The page says: ${text}`);
  return text;
}

/** @returns what the page says at the end, whatever it is */
export async function waitForEnd(page: Page, timeoutMs = 60_000): Promise<string> {
  await page.locator('#end-step').waitFor({ timeout: timeoutMs });
  return page.locator('#end-step').innerText();
}
