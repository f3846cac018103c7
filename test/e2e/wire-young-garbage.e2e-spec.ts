import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import { KiB, MiB } from '../../src/base/units.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { describeWire, type Wire } from './wire-under-test.js';

/**
 * What a request leaves behind is to go with the next quick collection of V8's, of young objects only. What
 * is taken for alive by mistake then is promoted, and stays until a collection of the whole heap.
 */
const promotedBytesMax = 1.5 * KiB;
const requests = 700;
/** Until V8 has compiled what runs, and what is kept for good is there. */
const firstRequests = 500;

const folder = await TemporaryFolder.create();
after(() => folder[Symbol.asyncDispose]());
const preload = folder.file('trace-gc.cjs');
await writeFile(
  preload,
  "for (const flag of ['--trace-gc', '--trace-gc-nvp']) require('node:v8').setFlagsFromString(flag);",
);
// For the services, which inherit it. Small, so that there are many collections.
process.env['NODE_OPTIONS'] = `--max-semi-space-size=2 --require=${preload}`;

/** The bytes that each quick collection has promoted, as V8 tells them in the output of the service. */
function promotions({ service }: Wire): readonly number[] {
  return service.program.lines.flatMap((line) => {
    const isQuick = /"?gc"?[:=]"?s\b/.test(line);
    const [, promoted] = /"?promoted"?[:=](\d+)/.exec(line) ?? [];
    return isQuick && promoted !== undefined ? [Number(promoted)] : [];
  });
}

const content = randomBytes(4 * MiB);
const blocks = content.length / (4 * KiB);

describeWire('what a request leaves is collected while it is young', {}, (wire) => {
  const kinds = [
    ['GET', 4 * KiB],
    ['PUT', 4 * KiB],
    ['GET', 100 * KiB],
  ] as const;
  for (const [method, lengthBytes] of kinds) {
    test(`${method} of ${lengthBytes / KiB} KiB`, async () => {
      const image = await wire.addImage(content, { ops: ['read', 'write'] });
      const client = wire.client();
      const credentials = wire.credentials(image.path);
      const ask = async (index: number): Promise<void> => {
        const start = ((index * 7) % (blocks - 25)) * 4 * KiB;
        const range = `${start}-${start + lengthBytes - 1}`;
        const { status } =
          method === 'GET'
            ? await client.request('GET', image.path, {
                headers: { ...credentials, Range: `bytes=${range}` },
              })
            : await client.request('PUT', `${image.path}?flush=n`, {
                headers: { ...credentials, 'Content-Range': `bytes ${range}/*` },
                body: content.subarray(start, start + lengthBytes),
              });
        assert.ok(status === 200 || status === 206);
      };
      for (let index = 0; index < firstRequests; index += 1) await ask(index);
      const before = promotions(wire).length;
      for (let index = 0; index < requests; index += 1) await ask(index);
      const promoted = promotions(wire).slice(before);
      assert.ok(promoted.length >= 5, `only ${promoted.length} collections were seen`);
      const perRequest = promoted.reduce((sum, bytes) => sum + bytes, 0) / requests;
      assert.ok(perRequest < promotedBytesMax, `${Math.round(perRequest)} bytes of each request were kept`);
    });
  }
});
