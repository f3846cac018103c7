import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Engine } from '../test/support/engine.js';
import { Pki } from '../test/support/pki.js';
import { Service } from '../test/support/processes.js';
import { pinnedNode, projectRoot } from '../test/support/project.js';
import { demoFiles, type DemoParties, type Transfer } from './commands.js';
import { writeDemoImage } from './image.js';

const daySeconds = 86_400;
/** sun_path of a unix socket has 108 bytes, the last of which is NUL. */
const socketPathLengthMax = 107;

/** Everything that the tour needs: a folder with PKI and image, a daemon, a proxy, and tickets at both. */
export class Stage {
  private constructor(
    readonly folder: string,
    readonly daemon: Service,
    readonly proxy: Service,
    readonly parties: DemoParties,
  ) {}

  static async build(): Promise<Stage> {
    const folder = await makeFolder();
    const started: Service[] = [];
    try {
      const pki = await Pki.create(folder);
      const engine = await pki.issueEngine();
      const imageBytes = await writeDemoImage(join(folder, demoFiles.image));
      const daemon = await Service.start('daemon', {
        folder,
        pki,
        configuration: { remote: { port: await freePort(54322) }, docs: { enable: true } },
      });
      started.push(daemon);
      const proxy = await Service.start('proxy', {
        folder,
        pki,
        engine,
        configuration: { remote: { port: await freePort(54323) } },
      });
      started.push(proxy);
      const signer = new Engine(engine);
      const sign = (ticketId: string) =>
        signer.signTransfer({ ticketId, imagedUri: daemon.url, lifetimeSeconds: daySeconds });
      const pageUpload = await addUpload(daemon, folder, 'page-upload.iso', imageBytes);
      const parties: DemoParties = {
        daemonUrl: daemon.url,
        proxyUrl: proxy.url,
        controlSocket: 'daemon.sock',
        throughProxy: {
          upload: await addUpload(daemon, folder, 'proxy-upload.iso', imageBytes),
          downloadTicketId: await addDownload(daemon, folder, imageBytes),
        },
        direct: {
          upload: await addUpload(daemon, folder, 'direct-upload.iso', imageBytes),
          downloadTicketId: await addDownload(daemon, folder, imageBytes),
        },
        page: {
          upload: pageUpload,
          link: `${proxy.url}/transfer/#ticket=${encodeURIComponent(sign(pageUpload.ticketId))}`,
        },
        client: {
          upload: await addUpload(daemon, folder, 'client-upload.iso', imageBytes),
          downloadTicketId: await addDownload(daemon, folder, imageBytes),
        },
      };
      await writeClient(folder);
      const { upload, downloadTicketId } = parties.throughProxy;
      await writeFile(join(folder, demoFiles.uploadTicket), sign(upload.ticketId));
      await writeFile(join(folder, demoFiles.downloadTicket), sign(downloadTicketId));
      return new Stage(folder, daemon, proxy, parties);
    } catch (error) {
      await Promise.allSettled(started.map((service) => service.program.kill()));
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Stops both services and removes the folder. */
  async strike(): Promise<void> {
    const stopped = await Promise.allSettled([this.proxy.stop(), this.daemon.stop()]);
    await rm(this.folder, { recursive: true, force: true });
    for (const result of stopped) if (result.status === 'rejected') throw result.reason;
  }
}

/** The client as a command of the folder, whatever Node the machine has. */
async function writeClient(folder: string): Promise<void> {
  const program = join(projectRoot, 'dist', 'client', 'main.js');
  const script = `#!/bin/sh\nexec "${pinnedNode}" "${program}" "$@"\n`;
  await writeFile(join(folder, demoFiles.client), script, { mode: 0o755 });
}

/** In the project, unless that is so deep down that its sockets would have too long a path. */
async function makeFolder(): Promise<string> {
  const parent = join(projectRoot, '.demo');
  const longest = join(parent, 'XXXXXX', 'daemon.sock');
  if (Buffer.byteLength(longest) > socketPathLengthMax) return mkdtemp(join(tmpdir(), 'imageio-demo-'));
  await mkdir(parent, { recursive: true });
  return mkdtemp(`${parent}/`);
}

/** @returns the port if nobody has it, else 0: any other */
async function freePort(port: number): Promise<number> {
  const probe = createServer();
  try {
    probe.listen(port, '127.0.0.1');
    await once(probe, 'listening');
    return port;
  } catch {
    return 0;
  } finally {
    probe.close();
  }
}

async function addUpload(
  daemon: Service,
  folder: string,
  targetFile: string,
  sizeBytes: number,
): Promise<Transfer> {
  const path = join(folder, targetFile);
  const target = await open(path, 'wx');
  await target.truncate(sizeBytes);
  await target.close();
  return { ticketId: await addTicket(daemon, 'write', path, sizeBytes), targetFile };
}

async function addDownload(daemon: Service, folder: string, sizeBytes: number): Promise<string> {
  return addTicket(daemon, 'read', join(folder, demoFiles.image), sizeBytes);
}

async function addTicket(
  daemon: Service,
  operation: 'read' | 'write',
  path: string,
  sizeBytes: number,
): Promise<string> {
  const uuid = randomUUID();
  await daemon.vdsm.addTicket({
    uuid,
    size: sizeBytes,
    ops: [operation],
    timeout: daySeconds,
    url: `file://${path}`,
    transfer_id: `demo-${operation}`,
    filename: demoFiles.image,
    sparse: true,
  });
  return uuid;
}
