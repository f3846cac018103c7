import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { writeSparseImage } from '../support/images.js';
import { needs } from '../support/requirements.js';
import type { ImageTicket } from './daemon-under-test.js';
import { parseAnswer, parseAnswers } from './raw-answers.js';
import { describeWire, type Wire } from './wire-under-test.js';

const run = promisify(execFile);
const bodyBytes = 50 * MiB;
// The body goes the same way whatever the client shows to the proxy.
const routes = [
  'straight to the daemon',
  'over the local socket',
  'through the proxy with a session',
] as const;

// A client that encrypts 50 MiB before it reads needs more than the two seconds of the
// default on a busy machine.
const configuration = { limits: { linger_sec: 10 } };

describeWire('a body that is refused', { configuration, routes }, (wire) => {
  let ticket: ImageTicket;
  let unknownPath: string;
  before(async () => {
    ticket = await wire.addImage(4096);
    unknownPath = await wire.addUnknownImage();
  });

  // The other ways lead to the same code, so a few are enough to see that they do.
  const attempts = wire.route === 'straight to the daemon' ? 20 : 5;

  /** What curl needs to show the same as the other clients of this way. */
  function curlArguments(path: string): string[] {
    const credentials = Object.entries(wire.credentials(path)).flatMap(([name, value]) => [
      '-H',
      `${name}: ${value}`,
    ]);
    return ['-sS', '--cacert', wire.daemon.pki.caFile, ...credentials, `${wire.service.url}${path}`];
  }

  /** Path and query, headers, expected status, and how the text begins. */
  const refusals: readonly (readonly [() => string, number, RegExp])[] = [
    [() => unknownPath, 403, /^You are not allowed to access this resource: /],
    [() => ticket.path, 416, /4096/],
    [() => `${ticket.path}?flush=x`, 400, /flush/],
    [() => '/none', 404, /No such/],
  ];

  // Through the proxy those that are the daemon's.
  const told = wire.isRelayed ? refusals.slice(0, 2) : refusals;
  for (const [path, status, text] of told) {
    test(`with ${status} is read by a Node client every time`, async () => {
      const body = Buffer.alloc(bodyBytes);
      for (let attempt = 0; attempt < attempts; attempt++) {
        // A connection of its own: those before still have the rest of their body to send.
        const answer = await wire.client().request('PUT', path(), { body });
        assert.equal(answer.status, status);
        assert.match(answer.text, text);
      }
    });

    test(`with ${status} is read by curl every time`, { skip: needsCurl(wire) }, async () => {
      const file = wire.daemon.folder.file('large');
      await writeSparseImage(file, bodyBytes, []);
      for (let attempt = 0; attempt < attempts; attempt++) {
        const { stdout } = await run('curl', [
          ...curlArguments(path()),
          ...['-T', file, '-H', 'Expect:', '-w', '%{http_code}'],
        ]);
        assert.ok(stdout.endsWith(String(status)), stdout);
        assert.match(stdout, text);
      }
    });
  }

  test('is read of no further than the bound, and then the connection ends', async () => {
    const socket = await wire.connect();
    await socket.send(wire.request('PUT', unknownPath, [`Content-Length: ${bodyBytes}`]));
    const answer = parseAnswer(await socket.readUntil('No such ticket\n'));
    assert.equal(answer.status, 403);
    // The service stops reading long before the kernel would have taken all, and closes a little later.
    await socket.send(Buffer.alloc(bodyBytes));
    assert.match(String(socket.error), /EPIPE|ECONNRESET/);
  });

  describe('or taken after Expect: 100-continue', () => {
    let ticket: ImageTicket;
    before(async () => {
      ticket = await wire.addImage(4);
    });

    for (const [method, body] of [
      ['PUT', 'DATA'],
      ['PATCH', '{"op":"flush"}'],
    ] as const) {
      test(`of ${method} gets 100 before the body is sent`, async () => {
        const socket = await wire.connect();
        const headers = [`Content-Length: ${body.length}`, 'Expect: 100-continue', 'Connection: close'];
        await socket.send(wire.request(method, ticket.path, headers));
        await socket.readUntil('HTTP/1.1 100 Continue\r\n\r\n');
        await socket.send(body);
        const answers = parseAnswers(await socket.readUntilClose());
        assert.deepEqual(
          answers.map(({ status }) => status),
          [100, 200],
        );
      });
    }

    const refusals: readonly (readonly [string, string, () => string, readonly string[], number])[] = [
      ['an unknown ticket', 'PUT', () => unknownPath, [], 403],
      ['a bad query before its unknown ticket', 'PUT', () => `${unknownPath}?flush=x`, [], 400],
      ['a range outside', 'PUT', () => ticket.path, ['Content-Range: bytes 4-*/*'], 416],
      ['a bad range', 'PUT', () => ticket.path, ['Content-Range: bytes 4'], 400],
      ['a method that is not supported', 'POST', () => ticket.path, [], 405],
      ['a missing route', 'PUT', () => '/none', [], 404],
      ['JSON that is too long', 'PATCH', () => ticket.path, ['Content-Length: 70000'], 413],
    ];
    for (const [what, method, path, headers, status] of refusals) {
      test(`gets no 100 when it is refused for ${what}`, async () => {
        const lengths = headers.some((header) => header.startsWith('Content-Length'))
          ? []
          : ['Content-Length: 4'];
        const request = wire.request(method, path(), ['Expect: 100-continue', ...lengths, ...headers]);
        const answer = parseAnswer(await wire.exchangeBytes(request));
        assert.deepEqual([answer.status, answer.headers['connection']], [status, 'close']);
      });
    }

    test('may be followed by the body at once', async () => {
      const request = wire.request('PUT', ticket.path, ['Content-Length: 4', 'Expect: 100-continue'], 'FAST');
      const next = wire.request('GET', ticket.path, ['Connection: close']);
      const answers = parseAnswers(await wire.exchangeBytes(request + next));
      assert.deepEqual(
        answers.map(({ status, body }) => [status, body]),
        [
          [100, ''],
          [200, ''],
          [200, 'FAST'],
        ],
      );
    });

    test('is what curl sends with a large body', { skip: needsCurl(wire) }, async () => {
      const file = wire.daemon.folder.file('upload');
      await writeSparseImage(file, 3 * MiB, [{ offsetBytes: 0, lengthBytes: 3 * MiB }]);
      const large = await wire.addImage(3 * MiB);
      for (const [path, status] of [
        [large.path, '200'],
        [unknownPath, '403'],
      ] as const) {
        const { stdout } = await run('curl', [
          ...curlArguments(path),
          ...['-T', file, '-H', 'Expect: 100-continue', '-o', '/dev/null', '-w', '%{http_code}'],
        ]);
        assert.equal(stdout, status);
      }
    });
  });
});

function needsCurl({ route }: Wire): string | false {
  return route === 'over the local socket' ? 'curl would show the same as it does with TLS' : needs('curl');
}
