import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { parseAddress, type Address } from './address.js';
import { mergeConfigurations, writeConfiguration, type Configuration } from './configuration.js';
import { ImagesClient } from './client.js';
import { freePort } from './free-port.js';
import { Pki } from './pki.js';
import { Program } from './program.js';
import { pinnedNode, projectRoot, serviceProgram } from './project.js';
import { TemporaryFolder } from './temporary-folder.js';
import { Vdsm } from './vdsm.js';

export interface ActivatedDaemonOptions {
  readonly configuration?: Configuration;
  /** Names by which the sockets are passed; that of their listener when absent. */
  readonly names?: Partial<Record<'control' | 'remote', string>>;
}

/**
 * A daemon whose control socket and port are held by another process, which starts it again whenever it ends,
 * as systemd does.
 */
export class ActivatedDaemon implements AsyncDisposable {
  readonly #clients: ImagesClient[] = [];

  private constructor(
    readonly folder: TemporaryFolder,
    readonly activator: Program,
    readonly controlPath: string,
    readonly remote: Address,
  ) {}

  static async start({
    configuration = {},
    names = {},
  }: ActivatedDaemonOptions = {}): Promise<ActivatedDaemon> {
    const folder = await TemporaryFolder.create();
    try {
      const pki = await Pki.create(folder.file('pki'));
      const { keyFile, certFile } = await pki.issueHost('daemon');
      const controlPath = folder.file('control.sock');
      const port = await freePort();
      await writeConfiguration(
        folder.file('etc'),
        mergeConfigurations(
          {
            tls: { key_file: keyFile, cert_file: certFile, ca_file: pki.caFile },
            daemon: { run_dir: folder.path, drop_privileges: false, systemd_enable: false },
            remote: { host: '127.0.0.1', port },
            local: { socket: `\\u0000/ovirt-imageio-test/${randomUUID()}` },
            control: { socket: controlPath },
          },
          configuration,
        ),
      );
      const activator = await Program.start('python3', [
        join(projectRoot, 'test', 'support', 'activator.py'),
        `${names.control ?? 'control'}=unix:${controlPath}`,
        `${names.remote ?? 'remote'}=tcp:${port}`,
        '--',
        ...[pinnedNode, serviceProgram, '-c', folder.file('etc')],
      ]);
      const isListening = (line: string): true | undefined =>
        line.startsWith('started ') ? true : undefined;
      await activator.waitForLine(isListening, 'the sockets are there');
      const remote = parseAddress(`https://127.0.0.1:${port}`, pki.caPem);
      return new ActivatedDaemon(folder, activator, controlPath, remote);
    } catch (error) {
      await folder[Symbol.asyncDispose]();
      throw error;
    }
  }

  get vdsm(): Vdsm {
    return new Vdsm({ kind: 'unix', path: this.controlPath });
  }

  /** A client with keep-alive connections, closed at the end. */
  client(): ImagesClient {
    const client = new ImagesClient(this.remote);
    this.#clients.push(client);
    return client;
  }

  /** Of the daemon that runs now. */
  get pid(): number {
    const line = this.activator.lines.findLast((text) => text.startsWith('started '));
    if (line === undefined) throw new Error('No daemon was started');
    return Number(line.split(' ')[1]);
  }

  /** Records of the log, of all daemons that ran. */
  get log(): readonly Readonly<Record<string, unknown>>[] {
    return this.activator.lines
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Resolves when so many daemons, this one counted, have become ready. */
  async ready(count = 1): Promise<void> {
    await this.activator.waitForLine(
      () => (this.#countOf('"Ready for requests"') >= count ? true : undefined),
      `daemon ${count} is ready`,
    );
  }

  /** Ends the daemon, which is then started again. Resolves when it has been started, not yet ready. */
  async restart(signal: NodeJS.Signals): Promise<void> {
    const startedBefore = this.#countOf('started ');
    process.kill(this.pid, signal);
    await this.activator.waitForLine(
      () => (this.#countOf('started ') > startedBefore ? true : undefined),
      'the daemon is started again',
    );
  }

  #countOf(text: string): number {
    return this.activator.lines.filter((line) => line.includes(text)).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    if (!this.activator.hasExited) await this.activator.stop();
    await this.folder[Symbol.asyncDispose]();
  }
}
