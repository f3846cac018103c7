import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { chromium, type Browser, type Download, type Page } from 'playwright-core';
import { programPath } from '../support/requirements.js';
import { projectRoot } from '../support/project.js';

/** What the page could read of an answer; status 0 when there was nothing that it may read. */
export interface PageAnswer {
  readonly status: number;
  readonly text: string;
  readonly sessionId: string | null;
  readonly range: string | null;
}

export interface FailedChunk {
  readonly status: number;
  readonly text: string;
  /** Where the chunk begins in the image. */
  readonly offset: number;
}

/** What the script of `engine-ui.html` offers. */
interface EngineUi {
  send(
    method: string,
    url: string,
    options: { readonly headers?: Readonly<Record<string, string>> },
  ): Promise<PageAnswer>;
  newUpload(options: UploadOptions): void;
  upload: {
    run(): Promise<'paused' | 'completed'>;
    pauseBeyond: number;
    readonly offset: number;
    /** The highest offset that the page was told of, in each progress event. */
    readonly progress: number[];
    readonly ranges: (string | null)[];
  };
  download(url: string): void;
}

export interface UploadOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly chunkBytes: number;
}

/** Who is told of an upload's chunks; the upload waits meanwhile. */
export interface ChunkObserver {
  /** @param offset where the chunk ends */
  chunkDone(offset: number): Promise<void>;
  /** The chunk was refused, or not answered at all; it is sent again afterwards. */
  chunkFailed(chunk: FailedChunk): Promise<void>;
}

/** Told of each event that an `EventSource` has got; of its failures as `error`, with its state. */
export type EventObserver = (type: string, data: string) => void;

/** As far as it is used. */
interface PageEventSource {
  readonly readyState: number;
  onerror: (() => void) | null;
  addEventListener(type: string, listener: (event: { readonly data: string }) => void): void;
}

declare const ui: EngineUi;
declare const EventSource: new (url: string) => PageEventSource;
/** Given to the page by {@link EngineUiPage.open}. */
declare const eventSeen: EventObserver;

/** The page in a real browser, served from an origin that is not the proxy's. */
export class EngineUiPage implements AsyncDisposable {
  private observer: ChunkObserver | undefined;
  private eventObserver: EventObserver | undefined;

  private constructor(
    private readonly server: Server,
    private readonly browser: Browser,
    private readonly page: Page,
  ) {}

  static async open(): Promise<EngineUiPage> {
    const html = readFileSync(join(projectRoot, 'test/browser/engine-ui.html'));
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(html);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const browser = await chromium.launch({
      executablePath: programPath('chromium') ?? 'chromium',
      args: [
        '--no-sandbox',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
    // Who would trust an authority that was made a second ago?
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    const { port } = server.address() as AddressInfo;
    const engineUi = new EngineUiPage(server, browser, page);
    await page.exposeFunction('chunkDone', (offset: number) => engineUi.observer?.chunkDone(offset));
    await page.exposeFunction('chunkFailed', (chunk: FailedChunk) => engineUi.observer?.chunkFailed(chunk));
    await page.exposeFunction('eventSeen', (type: string, data: string) => {
      engineUi.eventObserver?.(type, data);
    });
    await page.goto(`http://127.0.0.1:${port}/`);
    return engineUi;
  }

  /** Sends a request by XMLHttpRequest. */
  async send(
    method: string,
    url: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<PageAnswer> {
    return this.page.evaluate(([method, url, headers]) => ui.send(method, url, { headers }), [
      method,
      url,
      headers,
    ] as const);
  }

  /** Follows a stream by an `EventSource`. */
  async follow(url: string, types: readonly string[], observer: EventObserver): Promise<void> {
    this.eventObserver = observer;
    await this.page.evaluate(
      ([url, types]) => {
        const source = new EventSource(url);
        for (const type of types) {
          source.addEventListener(type, ({ data }) => {
            eventSeen(type, data);
          });
        }
        source.onerror = () => {
          eventSeen('error', String(source.readyState));
        };
      },
      [url, types] as const,
    );
  }

  /** Makes ready to upload a file in chunks. */
  async prepareUpload(file: string, options: UploadOptions, observer: ChunkObserver): Promise<void> {
    this.observer = observer;
    await this.page.setInputFiles('#file', file);
    await this.page.evaluate((options) => {
      ui.newUpload(options);
    }, options);
  }

  /** Makes the upload pause, in mid-chunk, when more than this was sent. */
  async pauseUploadBeyond(offset: number): Promise<void> {
    await this.page.evaluate((offset) => {
      ui.upload.pauseBeyond = offset;
    }, offset);
  }

  /** Starts the upload or goes on with it. */
  async runUpload(): Promise<'paused' | 'completed'> {
    return this.page.evaluate(() => ui.upload.run());
  }

  async uploadState(): Promise<Pick<EngineUi['upload'], 'offset' | 'progress' | 'ranges'>> {
    return this.page.evaluate(() => ({
      offset: ui.upload.offset,
      progress: ui.upload.progress,
      ranges: ui.upload.ranges,
    }));
  }

  /** Lets a hidden iframe go to `url` and waits for the browser to begin a download. */
  async download(url: string): Promise<Download> {
    const [download] = await Promise.all([
      this.page.waitForEvent('download'),
      this.page.evaluate((url) => {
        ui.download(url);
      }, url),
    ]);
    return download;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser.close();
    this.server.close();
    this.server.closeAllConnections();
  }
}
