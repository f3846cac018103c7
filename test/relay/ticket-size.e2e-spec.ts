import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { imagePath } from '../support/client.js';
import { certificates } from './relay-certificates.js';
import { RelayUnderTest } from './relay-under-test.js';
import { cut, ScriptedDaemon } from './scripted-daemon.js';

const { pki, daemon: identity } = await certificates();

// Of the ticket at the proxy; the daemon that has no such limit would give and take everything.
const size = 100;
const imageBytes = 150;

describe('what the control ticket of the proxy does not cover', () => {
  let daemon: ScriptedDaemon;
  let relay: RelayUnderTest;
  let path: string;
  before(async () => {
    daemon = await ScriptedDaemon.start(identity);
    relay = await RelayUnderTest.start(pki);
    path = imagePath(await relay.addTicket(daemon.origin, { size: BigInt(size) }));
  });
  after(async () => {
    await relay[Symbol.asyncDispose]();
    await daemon[Symbol.asyncDispose]();
  });

  const refused: readonly (readonly [string, Record<string, string>, string, string])[] = [
    ['GET', { Range: 'bytes=0-100' }, '', 'range end 101 > ticket size 100\n'],
    ['GET', { Range: 'bytes=100-' }, '', 'range start 100 >= ticket size 100\n'],
    ['HEAD', { Range: 'bytes=99-100' }, '', ''],
    ['PUT', {}, 'x'.repeat(101), 'range end 101 > ticket size 100\n'],
    ['PUT', { 'Content-Range': 'bytes 97-*/*' }, 'DATA', 'range end 101 > ticket size 100\n'],
    [
      'PUT',
      { 'Content-Range': 'bytes 18446744073709551615-*/*' },
      'DATA',
      'range end 9007199254740994 > ticket size 100\n',
    ],
  ];
  for (const [method, headers, body, text] of refused) {
    test(`is refused before the daemon is asked: ${method} ${JSON.stringify(headers)}`, async () => {
      const seenBefore = daemon.seen.length;
      const details = body === '' ? { headers } : { headers, body };
      const answer = await relay.client().request(method, path, details);
      assert.deepEqual([answer.status, answer.text], [416, text]);
      assert.equal(answer.headers['content-range'], `bytes */${size}`);
      assert.equal(daemon.seen.length, seenBefore);
    });
  }

  for (const [method, headers] of [
    ['GET', { Range: 'bytes=100-' }],
    ['PUT', { 'Content-Range': 'bytes 100-*/*' }],
  ] as const) {
    test(`is of no interest when the request is malformed: ${method}`, async () => {
      const body = method === 'PUT' ? { body: 'DATA' } : {};
      const answer = await relay.client().request(method, `${path}?close=x`, { headers, ...body });
      assert.deepEqual([answer.status, answer.text], [400, 'Invalid close, expected y or n\n']);
    });
  }

  test('is the daemon’s to judge for a method that does not write', async () => {
    daemon.script = ({ request, response }) => {
      void buffer(request).then(() => response.writeHead(405).end());
    };
    const answer = await relay.client().request('POST', path, { body: 'x'.repeat(101) });
    assert.equal(answer.status, 405);
  });

  for (const [method, headers] of [
    ['GET', { Range: 'bytes=0-99' }],
    ['GET', { Range: 'bytes=0-100', 'If-Range': '"etag"' }],
    ['PUT', { 'Content-Range': 'bytes 96-*/*' }],
  ] as const) {
    test(`ends where it ends: ${method} ${JSON.stringify(headers)} is relayed`, async () => {
      daemon.script = ({ request, response }) => {
        void buffer(request).then(() => response.end());
      };
      const details = method === 'PUT' ? { headers, body: 'DATA' } : { headers };
      assert.equal((await relay.client().request(method, path, details)).status, 200);
    });
  }

  for (const [what, headers, status, answered] of [
    ['the whole of a larger image', {}, 200, {}],
    ['the end of a larger image', { Range: 'bytes=-1' }, 206, { 'Content-Range': 'bytes 149-149/150' }],
  ] as const) {
    test(`does not come through: ${what}`, async () => {
      daemon.script = ({ response }) => {
        const body = Buffer.alloc(status === 200 ? imageBytes : 1, 'x');
        response.writeHead(status, { 'Content-Length': body.length, ...answered }).end(body);
      };
      const answer = await relay.client().request('GET', path, { headers });
      assert.deepEqual([answer.status, answer.headers['content-range']], [416, `bytes */${size}`]);
      assert.ok(!answer.text.includes('xx'));
    });
  }

  const extents = [
    { start: 0, length: 60, zero: false, hole: false },
    { start: 60, length: imageBytes - 60, zero: true, hole: false },
  ];
  const clipped = [extents[0], { ...extents[1], length: size - 60 }];

  test('is not told of in the extents of a larger image', async () => {
    daemon.script = ({ response }) => {
      const body = JSON.stringify(extents);
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length });
      response.end(body);
    };
    const answer = await relay.client().request('GET', `${path}/extents`);
    assert.deepEqual([answer.status, JSON.parse(answer.text)], [200, clipped]);
    assert.equal(answer.headers['content-length'], String(answer.text.length));
  });

  test('is not told of in extents that are streamed', async () => {
    daemon.script = ({ response }) => {
      response.writeHead(200, { 'Content-Type': 'application/json' });
      const text = JSON.stringify(extents);
      response.write(text.slice(0, 70));
      // Each piece on its own.
      setImmediate(() => response.end(text.slice(70)));
    };
    const answer = await relay.client().request('GET', `${path}/extents`);
    assert.deepEqual([answer.status, JSON.parse(answer.text)], [200, clipped]);
  });

  for (const [what, headers] of [
    ['with a length', { 'Content-Length': 5 }],
    ['streamed', {}],
  ] as const) {
    test(`does not come through in extents that are none: ${what}`, async () => {
      daemon.script = ({ response }) => {
        response.writeHead(200, { 'Content-Type': 'application/json', ...headers }).end('"150"');
      };
      const answer = relay.client().request('GET', `${path}/extents`);
      if ('Content-Length' in headers) assert.equal((await answer).status, 502);
      else await assert.rejects(answer);
    });
  }

  test('says nothing of a refusal of extents', async () => {
    daemon.script = ({ response }) => response.writeHead(404).end('Ticket has no dirty extents\n');
    const answer = await relay.client().request('GET', `${path}/extents?context=dirty`);
    assert.deepEqual([answer.status, answer.text], [404, 'Ticket has no dirty extents\n']);
  });

  test('is not sent to the daemon when a chunked body turns out to be too long', async () => {
    const chunks: Buffer[] = [];
    daemon.script = ({ request }) => request.on('data', (chunk: Buffer) => chunks.push(chunk));
    const socket = await relay.connect();
    await socket.sendHead(
      `PUT ${path} HTTP/1.1`,
      'Host: localhost',
      'Content-Range: bytes 90-*/*',
      'Transfer-Encoding: chunked',
    );
    await socket.send('a\r\n0123456789\r\n1\r\n!\r\n');
    const answer = await socket.readUntil('longer than the ticket allows');
    assert.match(answer.toString('latin1'), /^HTTP\/1\.1 416 [^]*\r\nConnection: close\r\n/);
    const seen = daemon.seen.at(-1);
    if (seen?.request.method === 'PUT') await cut(seen);
    assert.ok(!Buffer.concat(chunks).includes('!'));
  });
});
