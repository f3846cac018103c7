import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { describe, test } from 'node:test';
import { imagePath } from '../support/client.js';
import { expired, Pki, type Identity } from '../support/pki.js';
import { certificates } from './relay-certificates.js';
import { RelayUnderTest, type RelayUnderTestOptions } from './relay-under-test.js';
import { cut, ScriptedDaemon, type Script } from './scripted-daemon.js';

const { pki, daemon: identity } = await certificates();

/** What a client gets for a GET that is relayed to `origin`. */
async function answerFrom(origin: string, options: RelayUnderTestOptions = {}) {
  await using relay = await RelayUnderTest.start(pki, options);
  const id = await relay.addTicket(origin, { ops: ['read'] });
  const { status, reason, headers, text } = await relay.client().request('GET', imagePath(id));
  assert.ok(!text.includes(id));
  return { status, reason, headers, text, log: relay.logLines.join(''), id };
}

async function answerOf(script: Script, options: RelayUnderTestOptions = {}, certificate = identity) {
  await using daemon = await ScriptedDaemon.start(certificate, script);
  return await answerFrom(daemon.origin, options);
}

async function withServer<T>(server: Server, use: (origin: string) => Promise<T>): Promise<T> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket.on('error', () => undefined)));
  server.listen(0, 'localhost');
  await once(server, 'listening');
  try {
    return await use(`https://localhost:${(server.address() as AddressInfo).port}`);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

/** Answers with a head that a proper server would not write, and four bytes. */
function says(statusLine: string, headers: readonly string[] = ['Content-Length: 4']): Script {
  const bytes = [`HTTP/1.1 ${statusLine}`, ...headers, '', 'data'].join('\r\n');
  return ({ request }) => request.socket.write(bytes, 'latin1');
}

const neverAsked: Script = () => {
  assert.fail('the daemon must not see the request');
};

describe('a daemon that', () => {
  test('refuses the connection is answered for with 502', async () => {
    const daemon = await ScriptedDaemon.start(identity);
    const { origin } = daemon;
    await daemon[Symbol.asyncDispose]();
    const { status, text } = await answerFrom(origin);
    assert.equal(status, 502);
    assert.equal(text, 'The host of the image refused the connection\n');
  });

  test('has an unknown name is answered for with 502', async () => {
    const { status } = await answerFrom('https://no-such-host.invalid:54322');
    assert.ok(status === 502 || status === 503, `${status}`);
  });

  test('has a certificate of another authority of the same name is answered for with 502', async () => {
    const rogue = await Pki.create(`${pki.folder}/rogue`);
    const { status, text } = await answerOf(neverAsked, {}, await rogue.issueHost('rogue'));
    assert.equal(status, 502);
    assert.match(text, /certificate .* not trusted/);
  });

  test('has a certificate for another name is answered for with 502', async () => {
    const other: Identity = await pki.issueHost('other', { names: ['other.example.com'] });
    const { status, text } = await answerOf(neverAsked, {}, other);
    assert.equal(status, 502);
    assert.match(text, /for another name/);
  });

  test('has an expired certificate is answered for with 502', async () => {
    const { status, text } = await answerOf(neverAsked, {}, await pki.issueHost('expired', expired));
    assert.equal(status, 502);
    assert.match(text, /expired/);
  });

  test('speaks only TLS 1.1 is answered for with 502', async () => {
    const server = createTlsServer({
      cert: identity.certPem,
      key: identity.keyPem,
      minVersion: 'TLSv1.1',
      maxVersion: 'TLSv1.1',
    });
    server.on('tlsClientError', () => undefined);
    const { status } = await withServer(server, (origin) => answerFrom(origin));
    assert.equal(status, 502);
  });

  test('has no cipher with forward secrecy is answered for with 502', async () => {
    const { certPem, keyPem } = await pki.issueHost('rsa', { rsa: true });
    const server = createTlsServer({
      cert: certPem,
      key: keyPem,
      maxVersion: 'TLSv1.2',
      ciphers: 'AES128-GCM-SHA256:AES256-SHA',
    });
    server.on('tlsClientError', () => undefined);
    server.on('secureConnection', () => {
      assert.fail('no handshake must succeed');
    });
    const { status } = await withServer(server, (origin) => answerFrom(origin));
    assert.equal(status, 502);
  });

  test('does not finish the TLS handshake in time is answered for with 504', async () => {
    const { status, text } = await withServer(createServer(), (origin) =>
      answerFrom(origin, { connectTimeoutSeconds: 0.2 }),
    );
    assert.equal(status, 504);
    assert.match(text, /did not accept the connection in time/);
  });

  test('is silent before its answer is answered for with 504', async () => {
    const { status, text } = await answerOf(() => undefined, { readTimeoutSeconds: 0.2 });
    assert.equal(status, 504);
    assert.match(text, /did not answer in time/);
  });

  test('closes without an answer is answered for with 502, and asked once only', async () => {
    await using daemon = await ScriptedDaemon.start(identity, ({ request }) => request.socket.destroy());
    assert.equal((await answerFrom(daemon.origin)).status, 502);
    assert.equal(daemon.seen.length, 1);
  });

  test('answers nonsense is answered for with 502', async () => {
    const { status, text } = await answerOf(({ request }) => request.socket.write('what?\r\n\r\n'));
    assert.equal(status, 502);
    assert.match(text, /cannot be understood/);
  });

  test('answers with more headers than the proxy takes is answered for with 502', async () => {
    const { status, text } = await answerOf(({ request }) =>
      request.socket.write(`HTTP/1.1 200 OK\r\nX-Long: ${'x'.repeat(60_000)}\r\n\r\n`),
    );
    assert.equal(status, 502);
    assert.equal(text, 'The headers of the answer of the host of the image are too large\n');
  });

  test('switches protocols is answered for with 502', async () => {
    const head = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n';
    assert.equal((await answerOf(({ request }) => request.socket.write(head))).status, 502);
  });

  test('leaves its reason in the log, and neither id nor path', async () => {
    const { log, id } = await answerOf(({ request }) => request.socket.destroy());
    assert.match(log, /socket hang up/);
    assert.match(log, /transfer-1/);
    assert.ok(!log.includes(id));
  });

  for (const redirect of [300, 301, 302, 303, 304, 305, 307, 308]) {
    test(`redirects with ${redirect} is not followed, by the client neither`, async () => {
      const { status, headers } = await answerOf(({ response }) => {
        response.writeHead(redirect, { Location: 'https://elsewhere.example.com/' }).end();
      });
      assert.equal(status, 502);
      assert.equal(headers.location, undefined);
    });
  }

  for (const [what, statusLine] of [
    ['a control character in its reason phrase', '200 a\u0001b'],
    ['another reason phrase', '200 <script>'],
    ['a reason phrase that is not ASCII', '200 Käse'],
    ['no reason phrase', '200 '],
  ] as const) {
    test(`answers with ${what} is answered for with our own`, async () => {
      const { status, reason, text } = await answerOf(says(statusLine));
      assert.equal(status, 200);
      assert.equal(reason, 'OK');
      assert.equal(text, 'data');
    });
  }

  for (const status of ['000', '099', '199', '600', '999']) {
    test(`answers with status ${status} is answered for with 502`, async () => {
      const answer = await answerOf(says(`${status} Strange`));
      assert.equal(answer.status, 502);
      assert.equal(answer.reason, 'Bad Gateway');
    });
  }

  for (const [what, headers] of [
    ['two lengths', ['Content-Length: 4', 'Content-Length: 5']],
    ['a length and chunks', ['Content-Length: 4', 'Transfer-Encoding: chunked']],
    ['a header whose name is none', ['Content-Length: 4', 'na me: value']],
    ['a header with a NUL', ['Content-Length: 4', 'Content-Disposition: a\u0000b']],
    ['a transfer coding besides chunks', ['Transfer-Encoding: gzip, chunked']],
    ['a body without a length', []],
  ] as const) {
    test(`answers with ${what} is answered for with 502`, async () => {
      assert.equal((await answerOf(says('200 OK', headers))).status, 502);
    });
  }

  test('answers 204 with a body is relayed without it, and its connection is not used again', async () => {
    await using daemon = await ScriptedDaemon.start(identity, says('204 No Content'));
    await using relay = await RelayUnderTest.start(pki);
    const path = imagePath(await relay.addTicket(daemon.origin, { ops: ['read'] }));
    const client = relay.client();
    const { status, text } = await client.request('GET', path);
    assert.equal(status, 204);
    assert.equal(text, '');
    daemon.script = says('200 OK');
    assert.equal((await client.request('GET', path)).text, 'data');
    assert.equal(daemon.connectionCount, 2);
  });
});

describe('an answer that breaks off', () => {
  async function shortAnswer(script: Script, options: RelayUnderTestOptions = {}): Promise<string> {
    await using daemon = await ScriptedDaemon.start(identity, script);
    await using relay = await RelayUnderTest.start(pki, options);
    const id = await relay.addTicket(daemon.origin, { ops: ['read'] });
    const socket = await relay.connect();
    await socket.sendHead(`GET ${imagePath(id)} HTTP/1.1`, 'Host: localhost');
    return (await socket.readUntilClose()).toString('latin1');
  }

  test('is cut short of its Content-Length when the daemon dies', async () => {
    const received = await shortAnswer(({ request, response }) => {
      response.writeHead(200, { 'Content-Length': 100 });
      response.write('half', () => request.socket.destroy());
    });
    assert.match(received, /content-length: 100\r\n[^]*\r\n\r\nhalf$/i);
  });

  test('is cut without its last chunk when the daemon dies', async () => {
    const received = await shortAnswer(({ request, response }) => {
      response.write('half', () => request.socket.destroy());
    });
    assert.match(received, /half\r\n$/);
  });

  test('is cut when the daemon falls silent', async () => {
    const script: Script = ({ response }) => {
      response.writeHead(200, { 'Content-Length': 100 }).write('half');
    };
    assert.match(await shortAnswer(script, { readTimeoutSeconds: 0.2 }), /\r\n\r\nhalf$/);
  });

  test('frees the connection to a daemon that fell silent', async () => {
    await using daemon = await ScriptedDaemon.start(identity, ({ response }) => {
      response.writeHead(200, { 'Content-Length': 100 }).write('half');
    });
    await using relay = await RelayUnderTest.start(pki, { readTimeoutSeconds: 0.2 });
    const id = await relay.addTicket(daemon.origin, { ops: ['read'] });
    const socket = await relay.connect();
    await socket.sendHead(`GET ${imagePath(id)} HTTP/1.1`, 'Host: localhost');
    await cut(await daemon.request());
    await socket.readUntilClose();
  });
});
