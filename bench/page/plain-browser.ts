import { Program } from '../../test/support/program.js';
import { programPath } from '../../test/support/requirements.js';

interface Answer {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
  readonly method?: string;
  readonly params?: { readonly sessionId?: string };
}

interface HeapUsage {
  readonly usedSize: number;
  /** Of array buffers, which are outside of the heap. */
  readonly backingStorageSize?: number;
}

/**
 * A browser with one tab, and nobody who listens to its network: whoever does is handed every body that is
 * sent, which makes an upload ten times as slow.
 */
export class PlainBrowser implements AsyncDisposable {
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  /** Of the workers of the tab. */
  readonly #sessions: string[] = [];
  #lastId = 0;

  private constructor(
    private readonly program: Program,
    private readonly socket: WebSocket,
  ) {
    socket.addEventListener('message', ({ data }) => {
      const { id, result, error, method, params } = JSON.parse(String(data)) as Answer;
      if (method === 'Target.attachedToTarget') this.#sessions.push(params?.sessionId ?? '');
      const waiting = this.#waiting.get(id ?? 0);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(error.message));
    });
  }

  static async start(profile: string): Promise<PlainBrowser> {
    const program = await Program.start(programPath('chromium') ?? 'chromium', [
      '--headless=new',
      '--no-sandbox',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--ignore-certificate-errors',
      '--enable-precise-memory-info',
      '--remote-debugging-port=0',
      `--user-data-dir=${profile}`,
      'about:blank',
    ]);
    const pattern = /^DevTools listening on ws:\/\/([^/]+)/;
    const host = await program.waitForLine((line) => pattern.exec(line)?.[1], 'the browser to start');
    const tabs = (await (await fetch(`http://${host}/json/list`)).json()) as {
      readonly type: string;
      readonly webSocketDebuggerUrl: string;
    }[];
    const tab = tabs.find(({ type }) => type === 'page');
    if (tab === undefined) throw new Error('The browser has no tab');
    const socket = new WebSocket(tab.webSocketDebuggerUrl);
    await new Promise((resolve) => {
      socket.addEventListener('open', resolve, { once: true });
    });
    const browser = new PlainBrowser(program, socket);
    await browser.#send('Target.setAutoAttach', {
      autoAttach: true,
      waitForDebuggerOnStart: false,
      flatten: true,
    });
    return browser;
  }

  /** What the tab and its workers have in memory for JavaScript, and beside it in array buffers. */
  async memory(): Promise<{ readonly heapBytes: number; readonly bufferBytes: number }> {
    let [heapBytes, bufferBytes] = [0, 0];
    for (const session of [undefined, ...this.#sessions]) {
      const usage = (await this.#send('Runtime.getHeapUsage', {}, session)) as HeapUsage;
      heapBytes += usage.usedSize;
      bufferBytes += usage.backingStorageSize ?? 0;
    }
    return { heapBytes, bufferBytes };
  }

  async open(url: string): Promise<void> {
    await this.#send('Page.navigate', { url });
  }

  async evaluate(expression: string): Promise<unknown> {
    const options = { expression, awaitPromise: true, returnByValue: true };
    const { result } = (await this.#send('Runtime.evaluate', options)) as {
      readonly result: { readonly value?: unknown };
    };
    return result.value;
  }

  /** Waits until the expression is true. @param look what is done each time when it is not */
  async until(expression: string, timeoutMs: number, look = async () => {}): Promise<void> {
    const giveUpAt = performance.now() + timeoutMs;
    while ((await this.evaluate(expression)) !== true) {
      if (performance.now() > giveUpAt) throw new Error(`Timed out waiting for ${expression}`);
      await look();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async chooseFile(selector: string, file: string): Promise<void> {
    const { root } = (await this.#send('DOM.getDocument')) as { readonly root: { readonly nodeId: number } };
    const { nodeId } = (await this.#send('DOM.querySelector', { nodeId: root.nodeId, selector })) as {
      readonly nodeId: number;
    };
    await this.#send('DOM.setFileInputFiles', { nodeId, files: [file] });
  }

  async #send(method: string, params: object = {}, sessionId?: string): Promise<unknown> {
    this.#lastId += 1;
    const id = this.#lastId;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    this.socket.send(
      JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }),
    );
    try {
      return await waiting.promise;
    } finally {
      this.#waiting.delete(id);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.close();
    await this.program.kill();
  }
}
