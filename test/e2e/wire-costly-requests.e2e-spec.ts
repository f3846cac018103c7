import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import type { ImageTicket } from './daemon-under-test.js';
import { parseAnswer } from './raw-answers.js';
import { allWireRoutes, describeWire } from './wire-under-test.js';

const flush = '"op":"flush"';

/** A body with `keys` that nobody knows. */
function withUnknownKeys(keys: number): string {
  return `{${flush}${Array.from({ length: keys }, (_, index) => `,"k${index}":${index}`).join('')}}`;
}

describeWire('a request that would take long to read', { routes: allWireRoutes }, (wire) => {
  let image: ImageTicket;
  let unknownPath: string;
  before(async () => {
    image = await wire.addImage(MiB);
    unknownPath = await wire.addUnknownImage();
  });

  async function send(
    method: string,
    path: string,
    headers: readonly string[] = [],
    body?: string,
  ): Promise<{ status: number; text: string; connection: string | undefined }> {
    const length = body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
    const request = wire.request(method, path, [...headers, ...length, 'Connection: close'], body);
    const { status, body: text, headers: answered } = parseAnswer(await wire.exchangeBytes(request));
    return { status, text, connection: answered['connection'] };
  }

  const patch = (path: string, body: string) => send('PATCH', path, [], body);

  describe('in its body', () => {
    test('is refused before its body is looked at when there is no such ticket', async () => {
      for (const body of [withUnknownKeys(4600), 'no JSON', '['.repeat(60_000), 'x'.repeat(70_000), '']) {
        const { status, text } = await patch(unknownPath, body);
        assert.equal(status, 403, text);
        assert.match(text, /No such ticket/);
      }
    });

    test('is refused before 100 Continue when there is no such ticket', async () => {
      const headers = ['Content-Length: 60000', 'Expect: 100-continue'];
      const answer = parseAnswer(await wire.exchangeBytes(wire.request('PATCH', unknownPath, headers)));
      assert.equal(answer.status, 403);
    });

    test('is refused with 400 for what its head has, ticket or not', async () => {
      const { status } = await send('PUT', `${unknownPath}?flush=perhaps`, [], 'x');
      // Through the proxy with a session the head is judged where the ticket is.
      assert.equal(status, 400);
    });

    test('is refused with 413 when it is larger than 4 KiB', async () => {
      const padded = (bytes: number): string => `{${flush}}`.padEnd(bytes);
      assert.equal((await patch(image.path, padded(4096))).status, 200);
      const { status, text } = await patch(image.path, padded(4097));
      assert.deepEqual([status, text], [413, 'Request body is larger than the limit of 4096 bytes\n']);
      const chunked = `1001\r\n${padded(4097)}\r\n0\r\n\r\n`;
      const headers = ['Transfer-Encoding: chunked', 'Connection: close'];
      const request = wire.request('PATCH', image.path, headers, chunked);
      assert.equal(parseAnswer(await wire.exchangeBytes(request)).status, 413);
    });

    test('is ignored as far as its keys are not known', async () => {
      assert.equal((await patch(image.path, withUnknownKeys(300))).status, 200);
    });

    for (const [what, value] of [
      ['2000 nested lists', `${'['.repeat(2000)}${']'.repeat(2000)}`],
      ['500 nested objects', `${'{"a":'.repeat(500)}1${'}'.repeat(500)}`],
      ['2000 lists that do not end', '['.repeat(2000)],
    ] as const) {
      for (const key of ['op', 'offset', 'unknown']) {
        test(`is refused with 400 for ${what} in ${key}`, async () => {
          const { status, text } = await patch(image.path, `{${flush},"${key}":${value}}`);
          assert.deepEqual(
            [status, text],
            [400, 'Invalid image operation: the body is nested deeper than 32 levels\n'],
          );
        });
      }
    }

    test('is refused with 400 for more than a thousand values', async () => {
      const { status, text } = await patch(image.path, `{${flush},"a":[${'1,'.repeat(1100)}1]}`);
      assert.deepEqual(
        [status, text],
        [400, 'Invalid image operation: the body has more than 1024 values\n'],
      );
    });
  });

  describe('in its head', () => {
    const headers = (count: number): string[] => Array.from({ length: count }, () => 'a: b');

    test('is refused with 431 for more headers than 256, of which none is lost', async () => {
      assert.equal((await send('OPTIONS', image.path, headers(240))).status, 200);
      const { status, text, connection } = await send('OPTIONS', image.path, headers(1000));
      assert.deepEqual([status, text, connection], [431, 'The request has more than 256 headers\n', 'close']);
    });

    test('writes nothing at the wrong place because a header came last of very many', async () => {
      const { status } = await send(
        'PUT',
        image.path,
        [...headers(1100), 'Content-Range: bytes 512-*/*'],
        'x',
      );
      assert.equal(status, 431);
      assert.equal((await wire.contentOf(image))[0], 0);
    });

    test('is refused with 400 for an id that is longer than any', async () => {
      const { status, text } = await send('GET', `/images/${'i'.repeat(10_000)}`);
      assert.deepEqual([status, text], [400, 'The id in the path has more than 512 characters\n']);
    });

    test('is refused with 400 for more parameters than 64', async () => {
      const query = (count: number): string => `?${'a&'.repeat(count - 1)}close=y`;
      assert.equal((await send('GET', `${image.path}${query(64)}`, ['Range: bytes=0-0'])).status, 206);
      const { status, text } = await send('GET', `${image.path}${query(65)}`);
      assert.deepEqual([status, text], [400, 'The query has more than 64 parameters\n']);
    });

    test('is answered as text when its Accept names JSON behind a hundred others', async () => {
      const { status, text } = await send('GET', `${image.path}?close=x`, [
        `Accept: ${'a/b,'.repeat(2000)}application/json`,
      ]);
      assert.deepEqual([status, text], [400, 'Invalid close, expected y or n\n']);
    });
  });

  test('is answered with the longest name that a ticket can have, all of it', async () => {
    const filename = '💾'.repeat(512);
    const { path } = await wire.addImage(4, { ops: ['read'], filename });
    const { status, headers } = await wire.client().request('GET', path);
    assert.equal(status, 200);
    const encoded = String(headers['content-disposition']).split("UTF-8''")[1] ?? '';
    assert.equal(decodeURIComponent(encoded), filename);
  });
});
