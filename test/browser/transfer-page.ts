import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import {
  chromium,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Page,
} from 'playwright-core';
import { Deployment, type DeploymentOptions } from '../e2e/deployment.js';
import { freePort } from '../support/free-port.js';
import { programPath } from '../support/requirements.js';

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

/** A daemon, a proxy with the page, and a browser. */
export class TransferPageScene implements AsyncDisposable {
  private constructor(
    readonly deployment: Deployment,
    private readonly browser: Browser,
  ) {}

  static async start(options: DeploymentOptions = {}): Promise<TransferPageScene> {
    // The page finds the proxy where it was when it is started again.
    const proxy = { remote: { port: await freePort() }, ...options.proxy };
    const deployment = await Deployment.start({ ...options, proxy });
    try {
      return new TransferPageScene(deployment, await chromium.launch({ executablePath, args }));
    } catch (error) {
      await deployment[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** An empty image to upload to. */
  async target(sizeBytes: number): Promise<SceneImage> {
    const file = this.deployment.folder.file(`${randomUUID()}.raw`);
    await using image = await open(file, 'w');
    await image.truncate(sizeBytes);
    return await this.image('write', file, sizeBytes);
  }

  async image(operation: 'read' | 'write', file: string, sizeBytes: number): Promise<SceneImage> {
    const ticketId = await this.deployment.addTicket(operation, file, sizeBytes);
    const signedTicket = this.deployment.signTicket(ticketId);
    return { ticketId, file, signedTicket, link: this.linkOf(signedTicket) };
  }

  linkOf(signedTicket: string, baseUrl = this.deployment.proxy.url): string {
    return `${baseUrl}/transfer/#ticket=${encodeURIComponent(signedTicket)}`;
  }

  /** A browser as of somebody who was never here, with one tab. */
  async visit(options: BrowserContextOptions = {}): Promise<Visit> {
    return Visit.of(await this.browser.newContext(options));
  }

  /** A browser with a profile of its own, which can be killed and started again. */
  async visitWith(profile: string): Promise<Visit> {
    return Visit.of(await chromium.launchPersistentContext(profile, { executablePath, args }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser.close();
    await this.deployment[Symbol.asyncDispose]();
  }
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
    this.watch(page);
  }

  static async of(context: BrowserContext): Promise<Visit> {
    return new Visit(context, context.pages()[0] ?? (await context.newPage()));
  }

  async anotherTab(): Promise<Page> {
    const page = await this.context.newPage();
    this.watch(page);
    return page;
  }

  private watch(page: Page): void {
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

/** Opens the link and starts an upload of the file. */
export async function startUpload(page: Page, link: string, file: string): Promise<void> {
  await page.goto(link);
  await page.locator('#disk-step').waitFor();
  await page.setInputFiles('#file', file);
  await page.locator('#start').click();
  await page.locator('#run-step, #end-step').first().waitFor();
}

/** Waits for the end of a transfer. @throws with what the page says when it failed */
export async function waitForDone(page: Page, timeoutMs = 60_000): Promise<string> {
  await page.locator('#end-step').waitFor({ timeout: timeoutMs });
  const text = await page.locator('#end-step').innerText();
  if (!(await page.locator('#end-step.done').isVisible())) throw new Error(`The page says: ${text}`);
  return text;
}
