import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { runProgram, missing, Workspace } from '../nbd/servers.js';
import { writeSparseImage } from '../support/images.js';
import type { CrashPlan, Strike } from './crash-plan.js';
import { CrashRun, type CrashReport } from './crash-run.js';
import { CrashRuns } from './crash-runs.js';
import { CrashWorld } from './crash-world.js';
import { MovedBytes } from './moved-bytes.js';
import { makeStorage, type StorageKind } from './storage.js';
import { describeRun, summary } from './summary.js';

// The short form of `npm run crash`, always with the same choices.
const seed = 4860;
const runs = 4;

const skip = missing('nbdkit', 'qemu-nbd', 'qemu-img', 'qemu-io', 'prlimit');

const plan: CrashPlan = {
  direction: 'upload',
  storage: 'cache',
  throughProxy: false,
  keepsTickets: true,
  newTicket: 'same',
  workers: 4,
  verifies: true,
  isDirty: true,
  sizeBytes: 24 * MiB,
  data: [{ offsetBytes: 0, lengthBytes: 16 * MiB }],
  bytesPerSecond: 8 * MiB,
  strikes: [],
};

function at(share: number, victim: Strike['victim'], signal: NodeJS.Signals = 'SIGKILL'): Strike {
  const moment = { kind: 'moved', share } as const;
  return { victim, signal, moment, alsoClient: undefined, downMilliseconds: 100 };
}

function assertWell(report: CrashReport): void {
  assert.deepEqual(report.findings, [], describeRun(report).join('\n'));
}

describe('a client whose transfer is interrupted', { skip }, () => {
  test('lives through kills of proxy, storage, daemon and host, and sends again what was lost', async () => {
    await using world = await CrashWorld.start(true);
    const strikes = (['proxy', 'storage', 'daemon', 'host'] as const).map((victim) => at(0.3, victim));
    const run = new CrashRun(world, { ...plan, throughProxy: true, strikes }, 1);
    const report = await run.toTheEnd();
    assertWell(report);
    assert.deepEqual(report.kills, {
      'proxy SIGKILL': 1,
      'storage SIGKILL': 1,
      'daemon SIGKILL': 1,
      'host SIGKILL': 1,
    });
    assert.equal(report.starts, 1);
  });

  test('moves the same image, whatever is killed when', async (context) => {
    await using crashRuns = new CrashRuns(seed);
    const reports: CrashReport[] = [];
    for (let run = 0; run < runs; run++) {
      const report = await crashRuns.run(run);
      reports.push(report);
      assertWell(report);
    }
    for (const line of summary(reports)) context.diagnostic(line);
  });
});

describe('what the model is made of', { skip }, () => {
  for (const kind of ['cache', 'qcow2'] satisfies StorageKind[])
    test(`storage of the kind ${kind} forgets what was not flushed, and nothing else`, async () => {
      await using workspace = await Workspace.create();
      const [before, expected] = [workspace.path('before'), workspace.path('expected')];
      for (const path of [before, expected]) await writeSparseImage(path, 4 * MiB, []);
      const fill = (path: string): Promise<void> => writeSparseImage(path, 4 * MiB, []);
      const storage = await makeStorage(kind, workspace, { name: 'image', fill });
      const write = [
        '-f',
        'raw',
        '-t',
        'writeback',
        '-c',
        'write -P 1 0 1M',
        '-c',
        'flush',
        '-c',
        'write -P 2 2M 1M',
      ];
      // Without the abort it would flush when it ends.
      await assert.rejects(runProgram('qemu-io', ...write, '-c', 'abort', storage.url));
      await runProgram('qemu-io', '-f', 'raw', '-c', 'write -P 1 0 1M', expected);
      await storage.compare(expected);
      await storage.remove();
    });

  test('bytes count as durable only when they were answered before a flush began', () => {
    const count = new MovedBytes();
    const [one, other] = [
      { offsetBytes: 0, lengthBytes: 10 },
      { offsetBytes: 10, lengthBytes: 10 },
    ];
    count.moved(one);
    count.answered(one);
    const flushed = count.flushBegins();
    count.moved(other);
    count.answered(other);
    flushed();
    count.killed();
    count.moved({ offsetBytes: 5, lengthBytes: 10 });
    const { movedBytes, againBytes, wastedBytes, lostBytes } = count.summary;
    assert.deepEqual([movedBytes, againBytes, wastedBytes, lostBytes], [30, 10, 5, 10]);
  });

  test('what storage forgot is not made durable by a flush that comes after', () => {
    const count = new MovedBytes();
    const range = { offsetBytes: 0, lengthBytes: 10 };
    count.moved(range);
    count.answered(range);
    count.forgotten();
    count.flushBegins()();
    count.moved(range);
    assert.equal(count.summary.wastedBytes, 0);
  });
});
