import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/units.js';
import { writeSparseImage } from '../support/images.js';
import { needs } from '../support/requirements.js';
import { DaemonFixture, type ImageTicket } from './daemon.fixture.js';
import { parseAnswer, parseAnswers, requestBytes } from './raw-answers.js';

const run = promisify(execFile);
const attempts = 20;
const bodyBytes = 50 * MiB;

describe('a body that is refused', () => {
  let fixture: DaemonFixture;
  let ticket: ImageTicket;
  before(async () => {
    // A client that encrypts 50 MiB before it reads needs more than the two seconds of the default on a busy machine.
    fixture = await DaemonFixture.start({ limits: { linger_sec: 10 } });
    ticket = await fixture.addImage(4096);
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  /** Path and query, headers, expected status, and how the text begins. */
  const refusals: readonly (readonly [() => string, number, RegExp])[] = [
    [() => '/images/none', 403, /^You are not allowed to access this resource: /],
    [() => ticket.path, 416, /4096/],
    [() => `${ticket.path}?flush=x`, 400, /flush/],
    [() => '/none', 404, /No such/],
  ];

  for (const [path, status, text] of refusals) {
    for (const listener of ['remote', 'local'] as const) {
      test(`with ${status} is read by a Node client of the ${listener} service every time`, async () => {
        const body = Buffer.alloc(bodyBytes);
        for (let attempt = 0; attempt < attempts; attempt++) {
          // A connection of its own: those before still have the rest of their body to send.
          const answer = await fixture.client(listener).request('PUT', path(), { body });
          assert.equal(answer.status, status);
          assert.match(answer.text, text);
        }
      });
    }

    test(`with ${status} is read by curl every time`, { skip: needs('curl') }, async () => {
      const file = fixture.folder.file('large');
      await writeSparseImage(file, bodyBytes, []);
      for (let attempt = 0; attempt < attempts; attempt++) {
        const { stdout } = await run('curl', [
          ...['-sS', '--cacert', fixture.pki.caFile, '-T', file, '-H', 'Expect:', '-w', '%{http_code}'],
          `${fixture.daemon.url}${path()}`,
        ]);
        assert.ok(stdout.endsWith(String(status)), stdout);
        assert.match(stdout, text);
      }
    });
  }

  test('is read of no further than the bound, and then the connection ends', async () => {
    const socket = await fixture.connect('local');
    await socket.send(requestBytes('PUT', '/images/none', [`Content-Length: ${bodyBytes}`]));
    const answer = parseAnswer(await socket.readUntil('No such ticket\n'));
    assert.equal(answer.status, 403);
    // The service stops reading long before the kernel would have taken all, and closes a little later.
    await socket.send(Buffer.alloc(bodyBytes));
    assert.match(String(socket.error), /EPIPE|ECONNRESET/);
  });
});

describe('Expect: 100-continue', () => {
  let fixture: DaemonFixture;
  let ticket: ImageTicket;
  before(async () => {
    fixture = await DaemonFixture.start();
    ticket = await fixture.addImage(4);
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  for (const [method, body] of [
    ['PUT', 'DATA'],
    ['PATCH', '{"op":"flush"}'],
  ] as const) {
    test(`of ${method} gets 100 before the body is sent`, async () => {
      const socket = await fixture.connect();
      const headers = [`Content-Length: ${body.length}`, 'Expect: 100-continue', 'Connection: close'];
      await socket.send(requestBytes(method, ticket.path, headers));
      await socket.readUntil('HTTP/1.1 100 Continue\r\n\r\n');
      await socket.send(body);
      const answers = parseAnswers(await socket.readUntilClose());
      assert.deepEqual(
        answers.map(({ status }) => status),
        [100, 200],
      );
    });
  }

  const refusals: readonly (readonly [string, string, string, readonly string[], number])[] = [
    ['an unknown ticket', 'PUT', '/images/none', [], 403],
    ['an unknown ticket and its JSON is not read', 'PUT', '/images/none?flush=x', [], 400],
    ['a range outside', 'PUT', '', ['Content-Range: bytes 4-*/*'], 416],
    ['a bad range', 'PUT', '', ['Content-Range: bytes 4'], 400],
    ['a method that is not supported', 'POST', '', [], 405],
    ['a missing route', 'PUT', '/none', [], 404],
    ['JSON that is too long', 'PATCH', '', ['Content-Length: 70000'], 413],
  ];
  for (const [what, method, path, headers, status] of refusals) {
    test(`gets no 100 when it is refused for ${what}`, async () => {
      const lengths = headers.some((header) => header.startsWith('Content-Length'))
        ? []
        : ['Content-Length: 4'];
      const request = requestBytes(method, path === '' ? ticket.path : path, [
        'Expect: 100-continue',
        ...lengths,
        ...headers,
      ]);
      const answer = parseAnswer(await fixture.exchangeBytes(request));
      assert.deepEqual([answer.status, answer.headers['connection']], [status, 'close']);
    });
  }

  test('may be followed by the body at once', async () => {
    const request = requestBytes('PUT', ticket.path, ['Content-Length: 4', 'Expect: 100-continue'], 'FAST');
    const next = requestBytes('GET', ticket.path, ['Connection: close']);
    const answers = parseAnswers(await fixture.exchangeBytes(request + next));
    assert.deepEqual(
      answers.map(({ status, body }) => [status, body]),
      [
        [100, ''],
        [200, ''],
        [200, 'FAST'],
      ],
    );
  });

  test('is what curl sends with a large body', { skip: needs('curl') }, async () => {
    const file = fixture.folder.file('upload');
    await writeSparseImage(file, 3 * MiB, [{ offsetBytes: 0, lengthBytes: 3 * MiB }]);
    const large = await fixture.addImage(3 * MiB);
    for (const [path, status] of [
      [large.path, '200'],
      ['/images/none', '403'],
    ] as const) {
      const { stdout } = await run('curl', [
        ...['-sS', '--cacert', fixture.pki.caFile, '-T', file, '-H', 'Expect: 100-continue'],
        ...['-o', '/dev/null', '-w', '%{http_code}', `${fixture.daemon.url}${path}`],
      ]);
      assert.equal(stdout, status);
    }
  });
});
