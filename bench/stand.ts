import { mkdtemp, open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { writeRandomImage } from '../test/support/images.js';
import { Pki, type Identity } from '../test/support/pki.js';
import type { Role } from '../test/support/processes.js';
import type { BenchOptions } from './options.js';
import { BenchServer } from './server.js';
import type { Side } from './side.js';

/** What all scenarios share: the folder with keys and images, and how servers are started in it. */
export class Stand implements AsyncDisposable {
  #serversCount = 0;

  private constructor(
    readonly folder: string,
    readonly options: BenchOptions,
    /**
     * Two images of random bytes. Uploads alternate between them, so that what an earlier run left behind is
     * never what the next should.
     */
    readonly sources: readonly [string, string],
    private readonly pki: Pki,
    private readonly identity: Identity,
  ) {}

  static async create(options: BenchOptions): Promise<Stand> {
    const { bavail, bsize } = await statfs(options.workFolder);
    // Two sources, both again in parts, a target of each side, and what the limits are measured with.
    const neededBytes = 7 * options.imageBytes;
    if (bavail * bsize < neededBytes)
      throw new Error(`${options.workFolder} has less than the ${neededBytes} bytes free that are needed`);
    const folder = await mkdtemp(join(options.workFolder, 'imageio-bench-'));
    const pki = await Pki.create(join(folder, 'pki'));
    const identity = await pki.issueHost('server');
    const sources = [join(folder, 'source-0.img'), join(folder, 'source-1.img')] as const;
    for (const source of sources) {
      await writeRandomImage(source, options.imageBytes);
      await using file = await open(source);
      await file.sync();
    }
    return new Stand(folder, options, [...sources], pki, identity);
  }

  source(round: number): string {
    return this.sources[round % 2 === 0 ? 0 : 1];
  }

  /** Starts a server in a folder of its own; it ends with `lifetime`. */
  async startServer(
    side: Side,
    lifetime: AsyncDisposableStack,
    { role = 'daemon', local = true }: { readonly role?: Role; readonly local?: boolean } = {},
  ): Promise<BenchServer> {
    this.#serversCount += 1;
    const folder = join(this.folder, `${side.name}-${this.#serversCount}`);
    const server = await BenchServer.start({
      side,
      role,
      folder,
      local,
      pki: this.pki,
      identity: this.identity,
    });
    lifetime.defer(() => server.stop());
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
