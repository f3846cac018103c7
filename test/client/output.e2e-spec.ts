import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Ajv } from 'ajv';
import { MiB } from '../../src/base/units.js';
import { Deployment } from '../e2e/deployment.js';
import { writeRandomImage } from '../support/images.js';
import { projectRoot } from '../support/project.js';
import { imageio } from './imageio-under-test.js';

const schema = JSON.parse(
  readFileSync(join(projectRoot, 'docs', 'imageio-output.schema.json'), 'utf8'),
) as object;
// Properties that the page does not know are a fault here, though readers are to ignore them.
const isLine = new Ajv({ allErrors: true, strict: true, strictRequired: false, strictTypes: false }).compile(
  schema,
);

interface Line {
  readonly event: string;
  readonly [name: string]: unknown;
}

describe('imageio --output json', () => {
  let deployment: Deployment;
  let cafile: string;
  let original: string;
  before(async () => {
    deployment = await Deployment.start();
    cafile = deployment.pki.caFile;
    original = deployment.folder.file('original');
    await writeRandomImage(original, 3 * MiB + 5);
  });
  after(() => deployment[Symbol.asyncDispose]());

  async function lines(...args: readonly string[]): Promise<{ lines: readonly Line[]; code: number }> {
    const { stdout, code } = await imageio([...args, '--cafile', cafile, '--output', 'json'], {
      stateHome: deployment.folder.path,
    });
    const found = stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line);
    for (const line of found) assert.ok(isLine(line), `${JSON.stringify(line)}: ${schemaErrors()}`);
    return { lines: found, code };
  }

  function schemaErrors(): string {
    return JSON.stringify(isLine.errors);
  }

  async function newImage(sizeBytes: number): Promise<string> {
    const path = deployment.folder.file(randomUUID());
    const image = await open(path, 'w');
    await image.truncate(sizeBytes);
    await image.close();
    return `${deployment.daemon.url}/images/${await deployment.addTicket('write', path, sizeBytes)}`;
  }

  test('is as the schema says, whatever the command', async () => {
    const url = await newImage(3 * MiB + 5);
    const up = await lines('upload', original, url, '--verify');
    assert.equal(up.code, 0);
    assert.deepEqual([...new Set(up.lines.map(({ event }) => event))], ['progress', 'result']);
    const { sent, verified, phase } = up.lines.at(-1) ?? { event: 'none' };
    assert.deepEqual({ sent, verified, phase }, { sent: 3 * MiB + 5, verified: 3 * MiB + 5, phase: 'done' });

    const copy = deployment.folder.file(randomUUID());
    assert.equal((await lines('download', url, copy)).lines.at(-1)?.event, 'result');
    assert.equal((await lines('copy', url, await newImage(3 * MiB + 5))).lines.at(-1)?.event, 'result');
    assert.deepEqual((await lines('verify', copy, url)).lines, [{ event: 'result', equal: true }]);
    const [ofFile, ofImage] = [await lines('checksum', copy), await lines('checksum', url)];
    assert.deepEqual(ofFile.lines, ofImage.lines);
    assert.equal((await lines('receipt', url, '--disk', copy)).lines[0]?.['disk_equal'], true);
    assert.deepEqual((await lines('extents', url)).lines, [
      { event: 'extent', start: 0, length: 3 * MiB + 5, zero: false },
    ]);
    assert.equal((await lines('info', url)).lines[0]?.['size'], 3 * MiB + 5);
    assert.deepEqual((await lines('info', copy)).lines, [
      { event: 'result', format: 'raw', size: 3 * MiB + 5 },
    ]);
  });

  test('ends with what failed', async () => {
    const unknown = await lines('upload', original, `${deployment.daemon.url}/images/${randomUUID()}`);
    assert.equal(unknown.code, 4);
    const { event, exit_code: code, status } = unknown.lines.at(-1) ?? { event: 'none' };
    assert.deepEqual({ event, code, status }, { event: 'failure', code: 4, status: 403 });

    const differs = await lines('verify', original, await newImage(3 * MiB + 5));
    assert.equal(differs.code, 3);
    assert.deepEqual(differs.lines.at(-1)?.['differing'], [{ start: 0, length: 3 * MiB + 5 }]);

    const missing = await lines('checksum', deployment.folder.file('missing'));
    assert.equal(missing.code, 1);
    assert.equal(missing.lines.at(-1)?.['status'], null);
  });

  test('--log-file is appended to, and has no ticket in it', async () => {
    const log = deployment.folder.file('log');
    const url = await newImage(3 * MiB + 5);
    await lines('upload', original, url, '--log-file', log);
    const ended = await lines('upload', original, `${url}0`, '--log-file', log);
    assert.equal(ended.code, 4);
    const text = await readFile(log, 'utf8');
    const entries = text.split('\n').slice(0, -1);
    for (const entry of entries) assert.match(entry, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \S/);
    assert.match(entries[0] ?? '', /imageio \d+\.\d+\.\d+: upload$/);
    assert.equal(entries.filter((entry) => entry.includes(' done: uploaded 3.0 MiB')).length, 1);
    assert.match(entries.at(-1) ?? '', / failed: /);
    assert.ok(!text.includes(url.split('/').at(-1) ?? ''), text);
    assert.equal(statSync(log).mode & 0o777, 0o600);
  });
});
