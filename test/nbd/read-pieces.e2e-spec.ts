import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { KiB, MiB } from '../../src/base/units.js';
import { openImage, pattern, readBytes } from './images.js';
import { type ClientRequest, ScriptedServer } from './scripted-server.js';
import { dataChunk, holeChunk, noneChunk } from './server-messages.js';
import { Workspace } from './servers.js';

const sizeBytes = 4 * MiB;
const readCommand = 0;
/** From here to the end the image is a hole. */
const holeStart = 2 * MiB;
const content = Buffer.concat([pattern(holeStart), Buffer.alloc(sizeBytes - holeStart)]);

/** What QEMU has memory for without asking the kernel. */
const cheapBytes = 120 * KiB;

/** Reports holes as QEMU does: none of the bytes of one are sent. */
function answer({ cookie, offsetBytes, lengthBytes }: ClientRequest): Buffer {
  const end = offsetBytes + lengthBytes;
  const dataEnd = Math.min(Math.max(offsetBytes, holeStart), end);
  const chunks: Buffer[] = [];
  if (dataEnd > offsetBytes)
    chunks.push(dataChunk(cookie, offsetBytes, content.subarray(offsetBytes, dataEnd)));
  if (end > dataEnd) chunks.push(holeChunk(cookie, dataEnd, end - dataEnd));
  return Buffer.concat([...chunks, noneChunk(cookie)]);
}

describe('reads from an NBD server', () => {
  test('ask for data in pieces that QEMU has memory for, all at once', { timeout: 20_000 }, async () => {
    await using workspace = await Workspace.create();
    const requests: ClientRequest[] = [];
    let askedBytes = 0;
    await using server = await ScriptedServer.listen(workspace.path('sock'), {
      sizeBytes,
      // Nothing is answered before all was asked for, and the last piece first.
      reply: (request) => {
        if (request.command !== readCommand) return undefined;
        requests.push(request);
        askedBytes += request.lengthBytes;
        return askedBytes < MiB ? undefined : Buffer.concat(requests.toReversed().map(answer));
      },
    });
    const image = await openImage(server.url);
    assert.ok((await readBytes(image, MiB, MiB)).equals(content.subarray(MiB, 2 * MiB)));
    let next = MiB;
    for (const { offsetBytes, lengthBytes } of requests) {
      assert.equal(offsetBytes, next);
      assert.ok(lengthBytes <= cheapBytes, `${lengthBytes}`);
      next += lengthBytes;
    }
    assert.equal(requests.length, Math.ceil(MiB / cheapBytes));
    await image.close();
  });

  test('ask for all where holes are, and for pieces again where data is', async () => {
    await using workspace = await Workspace.create();
    let counts: number[] = [];
    await using server = await ScriptedServer.listen(workspace.path('sock'), {
      sizeBytes,
      reply: (request) => {
        if (request.command !== readCommand) return undefined;
        counts.push(request.lengthBytes);
        return answer(request);
      },
    });
    const image = await openImage(server.url);
    const lengthsOf = async (offsetBytes: number): Promise<number[]> => {
      counts = [];
      const data = await readBytes(image, offsetBytes, MiB);
      assert.ok(data.equals(content.subarray(offsetBytes, offsetBytes + MiB)));
      return counts;
    };
    assert.ok((await lengthsOf(holeStart)).length > 1);
    assert.deepEqual(await lengthsOf(holeStart + MiB), [MiB]);
    assert.deepEqual(await lengthsOf(holeStart - MiB / 2), [MiB]);
    assert.deepEqual(await lengthsOf(0), [MiB]);
    assert.ok((await lengthsOf(MiB)).length > 1);
    await image.close();
  });
});
