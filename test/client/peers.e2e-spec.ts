import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { open, stat, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { GiB, MiB } from '../../src/base/units.js';
import { Deployment } from '../e2e/deployment.js';
import { missing, Workspace } from '../nbd/servers.js';
import { writeSparseImage } from '../support/images.js';
import { Pki } from '../support/pki.js';
import { needsPythonTool } from '../support/python-tools.js';
import { PythonService } from '../support/python-service.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import type { Vdsm } from '../support/vdsm.js';
import { assertSameDisk, dataRunsOf, type DiskFile } from './disk-maps.js';
import { imageio } from './imageio-under-test.js';

/**
 * The long form of the large disk, also verified, of which a service makes two million digests:
 * `IMAGEIO_PEER_DATA_MIB=1024`.
 */
const largeDataBytes = Number(process.env['IMAGEIO_PEER_DATA_MIB'] ?? 64) * MiB;
const isLongForm = largeDataBytes > 64 * MiB;

const TiB = 1024 * GiB;

interface Peer {
  readonly vdsm: Vdsm;
  /** What `imageio` is told of the image of a ticket. */
  place(ticket: string): Promise<readonly string[]>;
}

interface Disk {
  readonly name: string;
  readonly sizeBytes: number;
  /** Where the disk is at the service: a file, or an export of qemu-nbd, as an engine has it. */
  readonly at: 'file' | 'nbd';
  make(folder: TemporaryFolder): Promise<DiskFile>;
}

const data = (offsetBytes: number, lengthBytes: number) => ({ offsetBytes, lengthBytes });

function rawDisk(
  name: string,
  sizeBytes: number,
  at: Disk['at'],
  ...ranges: ReturnType<typeof data>[]
): Disk {
  return {
    name,
    sizeBytes,
    at,
    make: async (folder) => {
      const path = folder.file(`${name}.raw`);
      await writeSparseImage(path, sizeBytes, ranges);
      return { path, format: 'raw' };
    },
  };
}

const disks: readonly Disk[] = [
  rawDisk('full', 9 * MiB, 'file', data(0, 9 * MiB)),
  rawDisk('sparse', 64 * MiB, 'file', data(0, MiB), data(20 * MiB, 3 * MiB), data(63 * MiB, MiB)),
  rawDisk('sparse on nbd', 64 * MiB, 'nbd', data(0, MiB), data(20 * MiB, 3 * MiB), data(63 * MiB, MiB)),
  rawDisk('of no bytes', 0, 'file'),
  rawDisk('of 1 byte', 1, 'file', data(0, 1)),
  rawDisk('of 511 bytes', 511, 'file', data(0, 511)),
  rawDisk('of an odd size', 5 * MiB + 12_345, 'file', data(0, MiB), data(4 * MiB, MiB + 12_345)),
  rawDisk('of whole sectors', 5 * MiB + 512, 'file', data(4 * MiB, MiB + 512)),
  rawDisk(
    ...(['of 8 TiB', 8 * TiB, 'nbd', data(0, MiB), data(3 * TiB, largeDataBytes)] as const),
    data(8 * TiB - MiB, MiB),
  ),
  { name: 'qcow2 with a backing chain', sizeBytes: 32 * MiB, at: 'nbd', make: backingChain },
];

async function backingChain(folder: TemporaryFolder): Promise<DiskFile> {
  const [base, middle, top] = ['base', 'middle', 'top'].map((name) => folder.file(name)) as [
    string,
    string,
    string,
  ];
  await writeSparseImage(base, 32 * MiB, [data(0, MiB), data(8 * MiB, 2 * MiB)]);
  const overlay = (path: string, below: string, format: string): void => {
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', format, '-b', below, path]);
  };
  overlay(middle, base, 'raw');
  execFileSync('qemu-io', ['-f', 'qcow2', '-c', 'write -P 7 20M 1M', middle], { stdio: 'ignore' });
  overlay(top, middle, 'qcow2');
  execFileSync('qemu-io', ['-f', 'qcow2', '-c', 'write -P 9 9M 1M', '-c', 'write -z 0 1M', top], {
    stdio: 'ignore',
  });
  return { path: top, format: 'qcow2' };
}

describe('imageio and its peers', { skip: missing('qemu-img', 'qemu-nbd', 'qemu-io') }, () => {
  const resources = new AsyncDisposableStack();
  const peers = new Map<string, Peer>();
  const originals = new Map<Disk, DiskFile>();
  let folder: TemporaryFolder;
  let workspace: Workspace;
  const pythonIsMissing = needsPythonTool('ovirt-imageio', 'ovirt-img');

  before(async () => {
    folder = resources.use(await TemporaryFolder.create());
    workspace = resources.use(await Workspace.create());
    const deployment = resources.use(await Deployment.start());
    const cafile = deployment.pki.caFile;
    peers.set('the daemon', {
      vdsm: deployment.daemon.vdsm,
      place: async (ticket) => [`${deployment.daemon.url}/images/${ticket}`, '--cafile', cafile],
    });
    peers.set('the proxy', {
      vdsm: deployment.daemon.vdsm,
      place: async (ticket) => {
        const signed = folder.file(`signed-${ticket}`);
        await writeFile(signed, deployment.signTicket(ticket));
        return [deployment.proxy.url, '--cafile', cafile, '--signed-ticket', signed];
      },
    });
    for (const disk of disks) originals.set(disk, await disk.make(folder));
    if (pythonIsMissing !== false) return;
    const pki = await Pki.create(folder.path);
    const python = resources.use(await PythonService.start(folder.path, pki));
    peers.set('the Python service', {
      vdsm: python.vdsm,
      place: async (ticket) => [`${python.url}/images/${ticket}`, '--cafile', pki.caFile],
    });
  });
  after(() => resources.disposeAsync());

  async function imageFile(sizeBytes: number): Promise<string> {
    const path = folder.file(randomUUID());
    await using image = await open(path, 'w');
    await image.truncate(sizeBytes);
    return path;
  }

  /** The image of a service, and what has it open. */
  async function withImage(
    peer: Peer,
    disk: Disk,
    path: string,
    operation: 'read' | 'write',
    work: (place: readonly string[]) => Promise<void>,
  ): Promise<void> {
    const server =
      disk.at === 'nbd' ? await workspace.qemuNbd('--format=raw', '--discard=unmap', path) : undefined;
    const url = server?.url ?? `file://${path}`;
    const uuid = randomUUID();
    const ticket = { uuid, url, size: disk.sizeBytes, ops: [operation], timeout: 300, sparse: true };
    await peer.vdsm.addTicket(ticket);
    try {
      await work(await peer.place(uuid));
    } finally {
      await peer.vdsm.removeTicket(uuid);
      await server?.stop();
    }
  }

  async function run(...args: readonly string[]): Promise<void> {
    const { code, stderr } = await imageio(args, { stateHome: folder.file('state') });
    assert.equal(code, 0, stderr);
  }

  for (const name of ['the daemon', 'the proxy', 'the Python service'])
    describe(name, { skip: name === 'the Python service' && pythonIsMissing }, () => {
      for (const disk of disks)
        test(`take and give a disk ${disk.name}`, async () => {
          const peer = peers.get(name) as Peer;
          const original = originals.get(disk) as DiskFile;
          const verify = disk.sizeBytes > GiB && !isLongForm ? [] : ['--verify'];
          const image = await imageFile(disk.sizeBytes);
          await withImage(peer, disk, image, 'write', async (place) => {
            await run('upload', original.path, ...place, ...verify);
          });
          // The Python service writes whole blocks of its storage only.
          const whole = name === 'the Python service' ? 4096 : 1;
          assert.ok((await stat(image)).size <= Math.ceil(disk.sizeBytes / whole) * whole);
          const runs = await dataRunsOf(original, whole);
          await assertSameDisk({ path: image, format: 'raw' }, original);
          assert.deepEqual(await dataRunsOf({ path: image, format: 'raw' }, whole), runs);
          await withImage(peer, disk, image, 'read', async ([url = '', ...options]) => {
            const copy = { path: folder.file(randomUUID()), format: original.format };
            await run('download', url, copy.path, '--format', copy.format, ...verify, ...options);
            await assertSameDisk(copy, original);
            assert.deepEqual(await dataRunsOf(copy, whole), runs);
          });
        });
    });

  test('--only-changed needs a service that tells digests', { skip: pythonIsMissing }, async () => {
    const [disk] = disks as [Disk];
    const original = originals.get(disk) as DiskFile;
    const image = await imageFile(disk.sizeBytes);
    await withImage(peers.get('the Python service') as Peer, disk, image, 'write', async (place) => {
      const args = ['upload', original.path, ...place, '--only-changed'];
      const { code, stderr } = await imageio(args, { stateHome: folder.file('state') });
      assert.deepEqual([code, /no digests to compare with/.test(stderr)], [1, true], stderr);
    });
  });
});
