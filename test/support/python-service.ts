import { join } from 'node:path';
import type { Address } from './address.js';
import { ImagesClient } from './client.js';
import { writeConfiguration } from './configuration.js';
import { eventually } from './deadline.js';
import { freePort } from './free-port.js';
import type { Pki } from './pki.js';
import { Program } from './program.js';
import { pythonTool } from './python-tools.js';
import { Vdsm } from './vdsm.js';

export interface PythonInstallation {
  readonly command?: string;
  /** Added to this process's environment. */
  readonly env?: NodeJS.ProcessEnv;
}

/** The service in Python that this one takes the place of, as its package installs it. */
export class PythonService implements AsyncDisposable {
  private constructor(
    private readonly program: Program,
    private readonly port: number,
    readonly vdsm: Vdsm,
  ) {}

  /**
   * @param folder an existing place for its configuration and sockets
   * @param program where it is installed, if not where the tests install it
   */
  static async start(
    folder: string,
    pki: Pki,
    { command = pythonTool('ovirt-imageio', 'ovirt-img'), env = {} }: PythonInstallation = {},
  ): Promise<PythonService> {
    const identity = await pki.issueHost('python');
    const port = await freePort();
    const controlSocket = join(folder, 'python-control.sock');
    const confDir = join(folder, 'python');
    await writeConfiguration(confDir, {
      daemon: { run_dir: folder, drop_privileges: false, systemd_enable: false },
      tls: { enable: true, key_file: identity.keyFile, cert_file: identity.certFile, ca_file: pki.caFile },
      remote: { host: '127.0.0.1', port },
      local: { enable: false },
      control: { transport: 'unix', socket: controlSocket },
      handlers: { keys: 'stderr' },
      logger_root: { level: 'INFO', handlers: 'stderr' },
    });
    const program = await Program.start(command, ['-c', confDir], { env });
    const vdsm = new Vdsm({ kind: 'unix', path: controlSocket });
    const service = new PythonService(program, port, vdsm);
    await service.#ready({ kind: 'tls', port, ca: pki.caPem });
    return service;
  }

  get url(): string {
    return `https://localhost:${this.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program.kill();
  }

  async #ready(address: Address): Promise<void> {
    const client = new ImagesClient(address);
    try {
      await eventually(async () => {
        if (this.program.hasExited) throw new Error(`It ended at its start\n${this.program.lastLines()}`);
        try {
          await this.vdsm.request('GET', '/tickets/none');
          return await client.capabilities('*');
        } catch {
          return undefined;
        }
      }, 'the Python service answers');
    } finally {
      client.close();
    }
  }
}
