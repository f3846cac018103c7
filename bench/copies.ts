// Measures copies of a daemon beside nbdcopy on the same files: on one host, and to another daemon. Prints
// Markdown; progress goes to stderr.
import { execFile } from 'node:child_process';
import { open, readFile, rm, writeFile } from 'node:fs/promises';
import { parseArgs, promisify } from 'node:util';
import { MiB } from '../src/base/units.js';
import { CopiesUnderTest } from '../test/e2e/copies-under-test.js';
import { DaemonUnderTest, type ImageTicket } from '../test/e2e/daemon-under-test.js';
import { needs } from '../test/support/requirements.js';
import { dropFromPageCache } from './page-cache.js';
import { spreadOf } from './statistics.js';

const run = promisify(execFile);

/** One way to copy the image. */
interface Way {
  readonly title: string;
  /** What is done before, and does not count. */
  readonly prepare?: () => Promise<void>;
  /** @returns the file that was made */
  readonly copy: () => Promise<string>;
  /** Whose CPU counts. */
  readonly daemons: readonly DaemonUnderTest[];
  readonly seconds: number[];
  readonly cpuSeconds: number[];
}

const { values } = parseArgs({
  options: { mib: { type: 'string', default: '1024' }, rounds: { type: 'string', default: '5' } },
});
const imageBytes = Number(values.mib) * MiB;
const rounds = Number(values.rounds);
const missing = needs('nbdcopy', 'qemu-img');
if (missing !== false) throw new Error(`The measurement ${missing}`);

await using owner = await DaemonUnderTest.start();
await using daemon = await DaemonUnderTest.start({ backend_http: { ca_file: owner.pki.caFile } }, owner.pki);
const copies = new CopiesUnderTest(daemon);
const source = await randomImage();
const served = await owner.addImage(undefined, { size: imageBytes, url: source.document.url });
const remote = await daemon.addImage(undefined, {
  size: imageBytes,
  url: `${owner.daemon.url}${served.path}`,
});
const ways: readonly Way[] = [
  {
    title: '`nbdcopy --flush`, source in the page cache',
    copy: copyWithNbdcopy,
    daemons: [],
    ...unmeasured(),
  },
  {
    title: '`nbdcopy --flush`, source on the disk',
    prepare: () => dropFromPageCache(source.file),
    copy: copyWithNbdcopy,
    daemons: [],
    ...unmeasured(),
  },
  { title: '`qemu-img convert -t none -T none`', copy: copyWithQemuImg, daemons: [], ...unmeasured() },
  { title: 'file to file', copy: () => copyTo(source, daemon), daemons: [daemon], ...unmeasured() },
  {
    title: 'file to another daemon',
    copy: () => copyTo(source, owner),
    daemons: [daemon, owner],
    ...unmeasured(),
  },
  {
    title: 'another daemon to file',
    copy: () => copyTo(remote, daemon),
    daemons: [daemon, owner],
    ...unmeasured(),
  },
];
console.log('| copy | wall: median [min–max] | MiB/s | CPU of the daemons |');
console.log('| --- | --- | --- | --- |');
for (let round = 1; round <= rounds; round += 1) {
  console.error(`Round ${round} of ${rounds}`);
  for (const { prepare, copy, daemons, seconds, cpuSeconds } of ways) {
    await prepare?.();
    const cpuBefore = await cpuOf(daemons);
    const startedAt = performance.now();
    const file = await copy();
    seconds.push((performance.now() - startedAt) / 1000);
    cpuSeconds.push((await cpuOf(daemons)) - cpuBefore);
    await rm(file);
  }
}
for (const { title, seconds, cpuSeconds } of ways) {
  const { median, min, max } = spreadOf(seconds);
  const wall = `${median.toFixed(2)} s [${min.toFixed(2)}–${max.toFixed(2)}]`;
  const speed = Math.round(imageBytes / MiB / median);
  console.log(`| ${title} | ${wall} | ${speed} | ${spreadOf(cpuSeconds).median.toFixed(2)} s |`);
}

function unmeasured(): Pick<Way, 'seconds' | 'cpuSeconds'> {
  return { seconds: [], cpuSeconds: [] };
}

async function randomImage(): Promise<ImageTicket> {
  const image = await daemon.addImage(0, { size: imageBytes, ops: ['read'] });
  await using random = await open('/dev/urandom');
  await writeFile(image.file, random.createReadStream({ end: imageBytes - 1, highWaterMark: MiB }));
  await run('sync', [image.file]);
  return image;
}

async function copyWithNbdcopy(): Promise<string> {
  const file = daemon.folder.file('copied.raw');
  await run('nbdcopy', ['--flush', source.file, file]);
  return file;
}

/** Direct I/O, as the daemon does it. */
async function copyWithQemuImg(): Promise<string> {
  const file = daemon.folder.file('converted.raw');
  const how = ['-t', 'none', '-T', 'none', '-W', '-m', '4', '-f', 'raw', '-O', 'raw'];
  await run('qemu-img', ['convert', ...how, source.file, file]);
  return file;
}

/** @param host of the new file */
async function copyTo(from: ImageTicket, host: DaemonUnderTest): Promise<string> {
  const image = await host.addImage(0, { size: imageBytes, sparse: true });
  const url = host === daemon ? image.document.url : `${host.daemon.url}${image.path}`;
  await copies.copy(from, await daemon.addImage(undefined, { size: imageBytes, url }));
  return image.file;
}

/** User and system time so far, of 100 ticks a second (proc(5)). */
async function cpuOf(daemons: readonly DaemonUnderTest[]): Promise<number> {
  const ticks = await Promise.all(
    daemons.map(async ({ daemon: { program } }) => {
      const [, fields = ''] = (await readFile(`/proc/${program.pid}/stat`, 'utf8')).split(') ');
      const [user = 0, system = 0] = fields.split(' ').slice(11, 13).map(Number);
      return user + system;
    }),
  );
  return ticks.reduce((sum, count) => sum + count, 0) / 100;
}
