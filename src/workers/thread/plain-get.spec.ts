import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { duplexPair } from 'node:stream';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { plainGet } from './plain-get.js';
import { requestLength } from './request-length.js';

function head(...lines: string[]): Buffer {
  return Buffer.from([...lines, '', ''].join('\r\n'), 'latin1');
}

const plain = ['GET /images/a-1_B HTTP/1.1', 'Host: daemon:54322'] as const;

/** What Node's parser makes of the bytes of a connection: requests, and whether it refused something. */
async function parse(bytes: Buffer): Promise<{ requests: IncomingMessage[]; refused: boolean }> {
  const server = createServer();
  const requests: IncomingMessage[] = [];
  let refused = false;
  server.on('request', (request, response) => {
    requests.push(request);
    request.resume();
    response.end();
  });
  server.on('clientError', (_error, socket) => {
    refused = true;
    socket.destroy();
  });
  const [ours, theirs] = duplexPair();
  server.emit('connection', theirs);
  ours.on('error', () => undefined).resume();
  theirs.on('error', () => undefined);
  ours.end(bytes);
  await once(ours, 'close');
  return { requests, refused };
}

/** Parts of heads, most of them good. */
const requestLine = fc.constantFrom(
  ...Array<string>(6).fill('GET /images/a HTTP/1.1'),
  'GET /images/a HTTP/1.0',
  'GET /images/a?x=1 HTTP/1.1',
  'GET http://h/images/a HTTP/1.1',
  'GET  /images/a HTTP/1.1',
  'POST /images/a HTTP/1.1',
  'PUT /images/a HTTP/1.1',
  'OPTIONS * HTTP/1.1',
  'get /images/a HTTP/1.1',
  'GET /images/a/extents HTTP/1.1',
);
const header = fc.oneof(
  fc.constantFrom(
    'Host: a',
    'Host:a',
    'host: a:1',
    'Range: bytes=0-99',
    'Range: bytes=7-7',
    'Range: bytes=-5',
    'Range:\tbytes=0-1',
    'Range : bytes=0-1',
    ' Range: bytes=0-1',
    'Connection: keep-alive',
    'Connection: close',
    'Content-Length: 0',
    'Content-Length: 3',
    'Content-Length: 3, 3',
    'Content-Length: +3',
    'Content-Length:3 ',
    'content-length: 0x3',
    'Transfer-Encoding: chunked',
    'Transfer-Encoding:identity',
    'Expect: 100-continue',
    'Upgrade: websocket',
    'X-Request-Id: abc.1',
    'X-Request-Id: a b',
    'Processing-Interval: 20',
    'Accept: */*',
    'User-Agent: curl/8 (x; y)',
    'If-Range: "x"',
    'Want-Content-Digest: sha-256=1',
    'Cookie: a=b',
    'X: \u0000',
    'X: a\rb',
    'X:',
    ': x',
    'X',
  ),
  fc.stringMatching(/^[A-Za-z-]{1,8}: ?[ -~]{0,12}$/),
);
const headText = fc
  .tuple(requestLine, fc.array(header, { maxLength: 5 }), fc.constantFrom('\r\n', '\r\n', '\r\n', '\n'))
  .map(([line, headers, end]) => [line, 'Host: d', ...headers, '', ''].join(end));

describe('a plain download', () => {
  test('is of a whole image, or of one range of it', () => {
    assert.deepEqual(plainGet(head(...plain)), {
      ticketId: 'a-1_B',
      range: undefined,
      requestId: undefined,
      processingSeconds: undefined,
    });
    const more = ['range: bytes=5-99', 'X-Request-ID:r.1', 'Accept: */*', 'Processing-Interval: 0'];
    assert.deepEqual(plainGet(head(...plain, ...more)), {
      ticketId: 'a-1_B',
      range: { firstByte: 5, lastByte: 99 },
      requestId: 'r.1',
      processingSeconds: 1,
    });
  });

  test('is nothing that a header could make something else of', () => {
    for (const line of [
      'Range: bytes=0-',
      'Range: bytes=0-1,3-4',
      'Connection: close',
      'Content-Length: 0',
      'Expect: 100-continue',
      'If-Match: "x"',
      'Authorization: x',
      'Origin: https://engine',
      'Want-Content-Digest: sha-256=1',
      'X-Request-Id: two words',
      'X-Request-Id: ',
      'Host: second',
      'Anything: else',
    ])
      assert.equal(plainGet(head(...plain, line)), undefined, line);
    for (const line of [
      'HEAD /images/a HTTP/1.1',
      'GET /images/a HTTP/1.0',
      'GET /images/a%2fb HTTP/1.1',
      'GET /images/a?b HTTP/1.1',
      'GET /images/ HTTP/1.1',
      'GET /tickets/a HTTP/1.1',
    ])
      assert.equal(plainGet(head(line, plain[1])), undefined, line);
    assert.equal(plainGet(head(plain[0])), undefined, 'without Host');
  });

  test('has its request to itself', () => {
    const whole = head(...plain);
    for (let length = 0; length < whole.length; length++)
      assert.equal(plainGet(whole.subarray(0, length)), undefined);
    assert.equal(plainGet(Buffer.concat([whole, Buffer.from('x')])), undefined);
    assert.equal(plainGet(Buffer.concat([whole, whole])), undefined);
  });

  test('is what Node’s parser takes for the same', async () => {
    let seen = 0;
    await fc.assert(
      fc.asyncProperty(headText, async (text) => {
        const bytes = Buffer.from(text, 'latin1');
        const found = plainGet(bytes);
        if (found === undefined) return;
        seen += 1;
        const { requests, refused } = await parse(bytes);
        assert.equal(refused, false);
        assert.equal(requests.length, 1);
        const { method, url, headers, complete } = requests[0]!;
        assert.deepEqual([method, url, complete], ['GET', `/images/${found.ticketId}`, true]);
        const { range } = found;
        const text206 = range === undefined ? undefined : `bytes=${range.firstByte}-${range.lastByte}`;
        assert.equal(headers.range, text206);
        assert.equal(headers['x-request-id'], found.requestId);
      }),
      { numRuns: 2000 },
    );
    assert.ok(seen > 50, `only ${seen} were plain`);
  });
});

describe('the length of a request', () => {
  test('is that of its head and body', () => {
    assert.equal(requestLength(head(...plain)), head(...plain).length);
    const put = head('PUT /images/a HTTP/1.1', 'Host: d', 'Content-Length: 10');
    assert.equal(requestLength(put), put.length + 10);
    assert.equal(requestLength(Buffer.concat([put, Buffer.from('four')])), put.length + 10);
  });

  test('is unknown where a parser has to find out, or another request follows', () => {
    const put = ['PUT /images/a HTTP/1.1', 'Host: d'];
    for (const bytes of [
      head(...put, 'Transfer-Encoding: chunked'),
      head(...put, 'Content-Length: 1', 'Content-Length: 1'),
      head(...put, 'Content-Length: 1', 'content-length : 2'),
      head(...put, 'Content-Length: 1, 1'),
      head(...put, 'Content-Length: 1', 'Expect: 100-continue'),
      head('CONNECT a:1 HTTP/1.1', 'Host: a'),
      head('GET /images/a HTTP/2'),
      Buffer.from('GET /images/a HTTP/1.1\r\nHost: d\r\n'),
      Buffer.concat([head(...plain), head(...plain)]),
      Buffer.from('\u0016\u0003\u0001'),
    ])
      assert.equal(requestLength(bytes), undefined, bytes.toString('latin1'));
  });

  test('is where Node’s parser finds the next request', async () => {
    const next = head('GET /next HTTP/1.1', 'Host: d');
    let seen = 0;
    await fc.assert(
      fc.asyncProperty(headText, async (text) => {
        const bytes = Buffer.from(text, 'latin1');
        const lengthBytes = requestLength(bytes);
        if (lengthBytes === undefined) return;
        const body = Buffer.alloc(lengthBytes - bytes.length, 'x');
        const { requests, refused } = await parse(Buffer.concat([bytes, body, next]));
        // What it refuses ends the connection, and what it answers with `close` is the last.
        const first = requests[0];
        if (refused || first?.headers.connection === 'close' || first?.httpVersion === '1.0') return;
        seen += 1;
        assert.deepEqual(
          requests.slice(1).map(({ url }) => url),
          ['/next'],
        );
      }),
      { numRuns: 2000 },
    );
    assert.ok(seen > 50, `only ${seen} had a length`);
  });
});
