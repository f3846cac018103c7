import assert from 'node:assert/strict';
import { STATUS_CODES } from 'node:http';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { imagePath } from '../support/client.js';
import { certificates } from './relay-certificates.js';
import { RelayUnderTest } from './relay-under-test.js';
import { ScriptedDaemon } from './scripted-daemon.js';

const { pki, daemon: identity } = await certificates();

// Of a request to a daemon that says nothing more, with room for a machine that has other things to do.
const silenceSeconds = 0.3;
const answerDeadlineMs = 30_000;
const runs = Number(process.env['FUZZ_RUNS'] ?? 300);
// That of a failure, which is printed with it; each run has one of its own otherwise.
const { FUZZ_SEED: seed } = process.env;

/** What a daemon sends for a request, and what it does then. */
interface Misbehaviour {
  readonly bytes: Buffer;
  readonly pieceBytes: number;
  readonly end: 'stay' | 'close' | 'reset';
}

const anyByte = fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte));
const anyText = fc.string({ unit: anyByte, maxLength: 20 });

// Mostly good, so that what is wrong comes through to where it can do harm.
const mostly = <T>(good: T, bad: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(good) }, { weight: 1, arbitrary: bad });

const statusLine = fc
  .tuple(
    mostly('HTTP/1.1', fc.constantFrom('HTTP/1.0', 'HTTP/0.9', 'HTTP/2', 'http/1.1', '')),
    mostly(
      '200',
      fc.constantFrom(
        ...['206', '204', '205', '304', '302', '403', '500', '099', '100', '101', '102', '103'],
        ...['199', '600', '999', '000', '20', '2000', 'abc', '-1', '', '٢٠٠'],
      ),
    ),
    fc.oneof(
      fc.constantFrom('OK', '', 'Käse', 'a\tb', '\u0001', '\u007f', 'x'.repeat(10_000), '<script>'),
      anyText,
    ),
  )
  .map(([version, status, reason]) => `${version} ${status} ${reason}`);

const header = fc.oneof(
  fc.constantFrom(
    'Content-Length: 4',
    'Content-Length: 4',
    'Content-Length: 0',
    'Content-Length: 5, 5',
    'Content-Length: -1',
    'Content-Length: 0x4',
    'Content-Length: +4',
    'Content-Length: 9007199254740993',
    'Content-Length: 18446744073709551617',
    'Content-Length:',
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: gzip, chunked',
    'Transfer-Encoding: chunked, chunked',
    'Transfer-Encoding : chunked',
    'Transfer-Encoding: \u000bchunked',
    'Connection: close',
    'Connection: content-length, transfer-encoding, upgrade',
    'Connection: upgrade',
    'Upgrade: h2c',
    'Content-Range: bytes 0-3/8',
    'Content-Range: bytes 0-3/\u0001',
    'Content-Type: text/html',
    'Content-Type: \u0080\u00ff',
    'Content-Disposition: attachment; filename="ä\u00ff.raw"',
    'Content-Disposition: a\u0000b',
    'Retry-After: soon',
    'Date: \u007f',
    'Allow: GET\r continued',
    'Allow: GET\n\tcontinued',
    'Trailer: Content-Length',
    'Content-Encoding: gzip',
    ': nameless',
    'no colon',
    'na me: value',
    'näme: value',
    '__proto__: x',
    'constructor: x',
    'Keep-Alive: timeout=0',
    'Keep-Alive: timeout=99999999999',
    `X-Long: ${'x'.repeat(70_000)}`,
    'X-Many: 1\r\n'.repeat(2500),
  ),
  fc.tuple(anyText, anyText).map(([name, value]) => `${name}: ${value}`),
);

const body = fc.oneof(
  fc.constantFrom('', 'data', 'dat', 'data and more', '4\r\ndata\r\n0\r\n\r\n', '4\r\ndata\r\n', '4\r\ndata'),
  fc.constantFrom('fffffffffffffffff\r\n', 'x\r\n', '4;ext\r\ndata\r\n0\r\nTrailer: \u0001\r\n\r\n'),
  fc.constantFrom('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', '0\r\n'.repeat(1000)),
  anyText,
);

const interim = fc
  .tuple(fc.constantFrom('100', '102', '103', '199'), fc.constantFrom(0, 0, 0, 1, 3, 3000))
  .map(([status, count]) => `HTTP/1.1 ${status} Wait\r\n\r\n`.repeat(count));

const misbehaviour: fc.Arbitrary<Misbehaviour> = fc
  .record({
    before: interim,
    status: statusLine,
    length: mostly<readonly string[]>(['Content-Length: 4'], fc.constant([])),
    headers: fc.array(header, { maxLength: 2 }),
    lineEnd: mostly('\r\n', fc.constantFrom('\n', '\r')),
    content: mostly('data', body),
    pieceBytes: mostly(1 << 20, fc.constant(7)),
    end: fc.constantFrom('stay' as const, 'close' as const, 'reset' as const),
  })
  .map(({ before, status, length, headers, lineEnd, content, pieceBytes, end }) => ({
    bytes: Buffer.from(before + [status, ...length, ...headers, '', content].join(lineEnd), 'latin1'),
    // A long text in pieces of a few bytes only takes long.
    pieceBytes: before.length + headers.join().length > 1000 ? 1 << 20 : pieceBytes,
    end,
  }));

/** Method, what follows the id in the path, and the body. */
type Sent = readonly [string, string, string?];

const requests: readonly Sent[] = [
  ['GET', ''],
  ['HEAD', ''],
  ['OPTIONS', ''],
  ['GET', '/extents'],
  ['GET', '/checksum'],
  ['PUT', '', 'data'],
  ['PUT', '', 'x'.repeat(200_000)],
  ['PATCH', '', '{"op":"flush"}'],
];

describe('whatever a daemon answers', () => {
  test('each request of a client ends, with an answer of the images API or a closed connection', async () => {
    await using daemon = await ScriptedDaemon.start(identity);
    await using relay = await RelayUnderTest.start(pki, {
      readTimeoutSeconds: silenceSeconds,
      operationTimeoutSeconds: silenceSeconds,
    });
    const path = imagePath(await relay.addTicket(daemon.origin));
    const client = relay.client();

    const survive = async (
      [method, rest, content]: Sent,
      { bytes, pieceBytes, end }: Misbehaviour,
    ): Promise<void> => {
      daemon.script = ({ request: { socket } }) => {
        for (let at = 0; at < bytes.length; at += pieceBytes) {
          if (socket.writable) socket.write(bytes.subarray(at, at + pieceBytes));
        }
        if (end === 'close') socket.end();
        if (end === 'reset') socket.destroy();
      };
      try {
        const { status, reason, headers } = await client.request(method, `${path}${rest}`, {
          deadlineMs: answerDeadlineMs,
          ...(content === undefined ? {} : { body: content }),
        });
        assert.ok((status >= 200 && status < 300) || (status >= 400 && status < 600), `status ${status}`);
        assert.equal(reason, STATUS_CODES[status]);
        assert.equal(headers['x-content-type-options'], 'nosniff');
      } catch (error: unknown) {
        // The connection was cut, as an answer that cannot be completed is.
        assert.match(String((error as NodeJS.ErrnoException).code), /^ECONNRESET$/, String(error));
      }
    };
    await fc.assert(fc.asyncProperty(fc.constantFrom(...requests), misbehaviour, survive), {
      numRuns: runs,
      ...(seed === undefined ? {} : { seed: Number(seed) }),
      // Shrinking waits for many silences; the seed is printed with the failure.
      endOnFailure: true,
    });

    // Past the server's responses: a kept connection may have one before this that the script never ended.
    daemon.script = ({ request }) => {
      request.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndata');
    };
    assert.equal((await client.request('GET', path)).text, 'data');
    assert.doesNotMatch(relay.logLines.join(''), /"answering"/, 'an answer could not be written');
  });
});
