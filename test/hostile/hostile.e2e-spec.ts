import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { findings, percentile99, runHostile } from './hostile-run.js';

// The short form of `npm run hostile`, which takes five minutes.
const quietSeconds = 5;
const hostileSeconds = 40;
// A tenth more than in the long form: collections come later where other tests take the processors.
const memoryBytesMax = { daemon: 440 * MiB, proxy: 440 * MiB };

test('an honest client moves images both ways while everything is attacked at once', async (context) => {
  const seed = randomInt(2 ** 31);
  context.diagnostic(`seed ${seed}`);
  const report = await runHostile({ seed, quietSeconds, hostileSeconds });
  context.diagnostic(JSON.stringify(report.attacks));
  const { quiet, hostile } = report;
  context.diagnostic(
    `small reads: p99 ${percentile99(quiet).toFixed(1)} ms quiet, ${percentile99(hostile).toFixed(1)} ms ` +
      'attacked',
  );
  assert.deepEqual(findings(report, memoryBytesMax), []);
});
