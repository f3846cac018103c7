import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { describeOptions } from '../../src/config/describe-options.js';
import { BufferPool } from '../../src/images/buffers/buffer-pool.js';
import { overlappingCount } from '../../src/images/transfer/buffer-set.js';
import { projectRoot } from '../support/project.js';

const page = readFileSync(join(projectRoot, 'docs', 'operations.md'), 'utf8');

test('the operations page says of every limit what it is by default and when to change it', () => {
  const rows = [...page.matchAll(/^\| `\[(\w+)\] (\w+)` +\| (\d+) +\| (\S.*?) +\| (\S.*?) +\|$/gm)];
  const tuned = rows.map(
    ([, section, option, value]) => `[${section ?? ''}] ${option ?? ''} = ${value ?? ''}`,
  );
  const limits = describeOptions()
    .filter(({ unit }) => unit !== undefined)
    .map(({ section, option, defaults }) => `[${section}] ${option} = ${String(defaults?.daemon)}`);
  assert.deepEqual(tuned, limits);
});

test('the operations page states how many transfers the default buffer pool is for', () => {
  const byDefault = (option: string): number =>
    Number(describeOptions().find((limit) => limit.option === option)?.defaults?.daemon);
  const pool = new BufferPool({
    poolBytes: byDefault('buffer_pool_bytes'),
    bufferBytes: byDefault('buffer_bytes'),
  });
  const buffers = pool.statistics().large.countMax;
  const atFullSpeed = Math.floor(buffers / overlappingCount);
  assert.match(page, new RegExp(`: ${buffers} with the defaults\\..*: ${atFullSpeed} at full speed\\.`));
});
