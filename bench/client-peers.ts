// Measures imageio beside the Python client (ovirt_imageio.client with its defaults) and nbdcopy, against the
// same daemon. Both clients go to the unix socket of a daemon that is on their host, so there is another one
// without it, for what goes over HTTPS. Prints Markdown; progress goes to stderr.
import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { GiB, MiB } from '../src/base/units.js';
import { DaemonUnderTest } from '../test/e2e/daemon-under-test.js';
import { writeSparseImage } from '../test/support/images.js';
import { ownAddress } from '../test/support/own-address.js';
import { pinnedNode, projectRoot } from '../test/support/project.js';
import { needsPythonTool, pythonTool } from '../test/support/python-tools.js';
import { pairedRatios, spreadOf } from './statistics.js';

const run = promisify(execFile);
const imageio = join(projectRoot, 'dist', 'client', 'main.js');
const pythonClient = `
import sys
from ovirt_imageio import client
move, disk, url, ca, *rest = sys.argv[1:]
places = (disk, url) if move == "upload" else (url, disk)
getattr(client, move)(*places, ca, **dict(option.split("=") for option in rest))
`;

/** What one run of a program took. */
interface Cost {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly rssMiB: number;
}

interface Scenario {
  readonly title: string;
  readonly ours: () => Promise<Cost>;
  readonly theirs: () => Promise<Cost>;
}

const { values } = parseArgs({
  options: {
    mib: { type: 'string', default: '1024' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
  },
});
const sizeBytes = Number(values.mib) * MiB;
const missing = needsPythonTool('ovirt-img', 'ovirt-img');
if (missing !== false) throw new Error(`The measurement ${missing}`);

const host = ownAddress();
if (host === undefined) throw new Error('This machine has no address by which others know it');
const remote = { host: '0.0.0.0' };
await using daemon = await DaemonUnderTest.start({ remote }, undefined, ['localhost', host]);
const { folder, pki } = daemon;
await using httpsDaemon = await DaemonUnderTest.start({ remote, local: { enable: false } }, pki, [
  'localhost',
  host,
]);
const authority = pki.caFile;
await writeFile(folder.file('client.py'), pythonClient);
const raw = folder.file('raw');
await writeSparseImage(raw, sizeBytes, [{ offsetBytes: 0, lengthBytes: sizeBytes }]);
const qcow2 = folder.file('qcow2');
await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, qcow2]);
const huge = folder.file('huge');
const hugeBytes = 8 * 1024 * GiB;
// As far apart as data of a used disk may be.
const islands = Array.from({ length: 16 }, (_, index) => ({
  offsetBytes: (index * hugeBytes) / 16,
  lengthBytes: sizeBytes / 16,
}));
await writeSparseImage(huge, hugeBytes, islands);

const urlAt = ({ daemon: { url } }: DaemonUnderTest, path: string): string =>
  `${url.replace('localhost', host)}${path}`;

/** @param exists the file is there and has all its blocks, as a disk that is allocated before */
async function target(bytes: number, at = daemon, exists = true): Promise<string> {
  const { file, path } = await at.addImage(0, { size: bytes, timeout: 3000, sparse: !exists });
  if (exists) await run('fallocate', ['-l', String(bytes), file]);
  targets.push(file);
  return urlAt(at, path);
}
const targets: string[] = [];

async function source(file: string, bytes: number, at = daemon): Promise<string> {
  const url = `file://${file}`;
  const { path } = await at.addImage(undefined, { size: bytes, ops: ['read'], url, timeout: 3000 });
  return urlAt(at, path);
}

async function measured(command: string, args: readonly string[]): Promise<Cost> {
  const figures = folder.file('figures');
  await run('sync', []);
  const env = { ...process.env, XDG_STATE_HOME: folder.path };
  await run('/usr/bin/time', ['-f', '%e %U %S %M', '-o', figures, command, ...args], { env });
  const [seconds = 0, user = 0, system = 0, rss = 0] = (await readFile(figures, 'utf8'))
    .split(' ')
    .map(Number);
  return { seconds, cpuSeconds: user + system, rssMiB: rss / 1024 };
}

const ours = (...args: readonly string[]): Promise<Cost> =>
  measured(pinnedNode, [imageio, ...args, '--cafile', authority, '--quiet']);
const python = (...args: readonly string[]): Promise<Cost> =>
  measured(pythonTool('python', 'ovirt-img'), [folder.file('client.py'), ...args]);
const downloaded = folder.file('downloaded');
async function fresh(): Promise<string> {
  await rm(downloaded, { force: true });
  return downloaded;
}

/** What is measured by both ways to a daemon. */
function moves(way: string, at: DaemonUnderTest): Scenario[] {
  return [
    {
      title: `upload of a raw file, ${way}`,
      ours: async () => ours('upload', raw, await target(sizeBytes, at)),
      theirs: async () => python('upload', raw, await target(sizeBytes, at), authority),
    },
    {
      title: `download to a raw file, ${way}`,
      ours: async () => ours('download', await source(raw, sizeBytes, at), await fresh()),
      theirs: async () =>
        python('download', await fresh(), await source(raw, sizeBytes, at), authority, 'fmt=raw'),
    },
    {
      title: `upload of a qcow2 file into a raw image, ${way}`,
      ours: async () => ours('upload', qcow2, await target(sizeBytes, at)),
      theirs: async () => python('upload', qcow2, await target(sizeBytes, at), authority),
    },
    {
      title: `upload with \`--verify\`, beside one without, ${way}`,
      ours: async () => ours('upload', raw, await target(sizeBytes, at), '--verify'),
      theirs: async () => ours('upload', raw, await target(sizeBytes, at)),
    },
  ];
}

const scenarios: readonly Scenario[] = [
  ...moves('HTTPS', httpsDaemon),
  ...moves('own host', daemon),
  {
    title: 'upload of 8 TiB with 1 GiB of data',
    ours: async () => ours('upload', huge, await target(hugeBytes, daemon, false)),
    theirs: async () => python('upload', huge, await target(hugeBytes, daemon, false), authority),
  },
  {
    title: '8 TiB with 1 GiB of data, beside `nbdcopy` to a file',
    ours: async () => ours('upload', huge, await target(hugeBytes, daemon, false)),
    theirs: async () => measured('nbdcopy', ['--flush', huge, await fresh()]),
  },
];

console.log('| what | wall: imageio / peer | ratio | CPU of the client | ratio | its memory |');
console.log('| --- | --- | --- | --- | --- | --- |');
for (const { title, ours: mine, theirs } of scenarios.filter((each) => each.title.includes(values.only))) {
  const costs: { readonly mine: Cost[]; readonly peer: Cost[] } = { mine: [], peer: [] };
  for (let round = 1; round <= Number(values.rounds); round += 1) {
    console.error(`${title}: round ${round} of ${values.rounds}`);
    costs.mine.push(await mine());
    costs.peer.push(await theirs());
    for (const file of targets.splice(0)) await rm(file);
  }
  console.log(rowOf(title, costs.mine, costs.peer));
}

function rowOf(title: string, mine: readonly Cost[], peer: readonly Cost[]): string {
  const of = (costs: readonly Cost[], figure: keyof Cost): number[] => costs.map((cost) => cost[figure]);
  const both = (figure: keyof Cost, unit: string): string =>
    [mine, peer].map((costs) => `${spreadOf(of(costs, figure)).median.toFixed(2)} ${unit}`).join(' / ');
  const ratio = (figure: keyof Cost): string => {
    const { median, min, max } = pairedRatios(of(mine, figure), of(peer, figure));
    return `**${median.toFixed(2)}** [${min.toFixed(2)}–${max.toFixed(2)}]`;
  };
  const memory = `${Math.round(spreadOf(of(mine, 'rssMiB')).median)} MiB`;
  const wall = [both('seconds', 's'), ratio('seconds')];
  const cpu = [both('cpuSeconds', 's'), ratio('cpuSeconds')];
  return `| ${[title, ...wall, ...cpu, memory].join(' | ')} |`;
}
