// Measures what idle streams of events cost: memory and CPU of a daemon and of a proxy, beside a server of
// Node's own with nothing around it. Prints Markdown. Its clients are another process.
import { parseArgs } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { KiB, MiB } from '../../src/base/units.js';
import { Program } from '../../test/support/program.js';
import { pinnedNode } from '../../test/support/project.js';
import { ProcessTree } from '../process-tree.js';
import { candidates, type EventServer } from './servers.js';

const { values } = parseArgs({
  options: {
    streams: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '45' },
    only: { type: 'string', default: '' },
  },
});
const streams = Number(values.streams);
/** Three comments of each stream by default. */
const idleSeconds = Number(values.seconds);
/** So many before, so that code is compiled and buffers are there that the first of any need. */
const firstStreams = 20;
/** Until what opening streams took is given back. */
const settleMilliseconds = 3000;

interface Cost {
  readonly bytes: number;
  readonly cpuSeconds: number;
}

console.log(`${streams} streams, idle for ${idleSeconds} s, Node ${process.version}.\n`);
console.log('| server | memory of the streams | of each | CPU while idle |');
console.log('| --- | --- | --- | --- |');
for (const { name, start } of candidates) {
  if (!name.includes(values.only)) continue;
  await using server = await start();
  const { bytes, cpuSeconds } = await withCrowd(server, firstStreams, () => costOf(server));
  const figures = [
    `${(bytes / MiB).toFixed(1)} MiB`,
    `${(bytes / streams / KiB).toFixed(1)} KiB`,
    `${((cpuSeconds / idleSeconds) * 100).toFixed(1)} %`,
  ];
  console.log(`| ${[name, ...figures].join(' | ')} |`);
}

async function costOf(server: EventServer): Promise<Cost> {
  await delay(settleMilliseconds);
  const before = server.program.residentBytes;
  return withCrowd(server, streams, async () => {
    await delay(settleMilliseconds);
    const processes = new ProcessTree(server.program.pid);
    const cpuBefore = processes.cpuSeconds();
    await delay(idleSeconds * 1000);
    return {
      bytes: server.program.residentBytes - before,
      cpuSeconds: processes.cpuSeconds() - cpuBefore,
    };
  });
}

/** Does something while a crowd of clients follows. */
async function withCrowd<T>(
  { address, path }: EventServer,
  count: number,
  work: () => Promise<T>,
): Promise<T> {
  const file = new URL('crowd.js', import.meta.url).pathname;
  const crowd = await Program.start(pinnedNode, [file, JSON.stringify(address), path, String(count)]);
  try {
    await crowd.waitForLine((line) => (line === 'open' ? line : undefined), `${count} streams to be open`);
    return await work();
  } finally {
    await crowd.kill();
  }
}
