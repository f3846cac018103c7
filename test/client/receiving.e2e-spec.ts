import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { after, afterEach, before, describe, test } from 'node:test';
import { NodeTransport } from '#sdk';
import { HttpImage, TransferError } from '#sdk/transfer';
import { MiB } from '../../src/base/units.js';
import { Pki, type Identity } from '../support/pki.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

const everything = new AsyncDisposableStack();
let pki: Pki;
let identity: Identity;
before(async () => {
  const folder = everything.use(await TemporaryFolder.create());
  pki = await Pki.create(folder.file('pki'));
  identity = await pki.issueHost('service');
});
after(() => everything.disposeAsync());

const body = randomBytes(MiB + 5);
const patience = (): AbortSignal => AbortSignal.timeout(30_000);
const headOf = (lengthBytes: number, more = ''): string =>
  `HTTP/1.1 206 Partial Content\r\ncontent-LENGTH:  ${lengthBytes} \r\n${more}\r\n`;

/** What a service does with each request it gets, once its head is there. */
type Answer = (socket: Socket, request: string) => void;

for (const isSecure of [true, false]) {
  describe(`receiving a part ${isSecure ? 'over TLS' : 'without TLS'}`, () => {
    let server: Server;
    let transport: NodeTransport;
    let connections = 0;

    async function serve(answer: Answer): Promise<void> {
      const { keyPem: key, certPem: cert } = identity;
      server = isSecure ? createTlsServer({ key, cert }) : createServer();
      connections = 0;
      server.on(isSecure ? 'secureConnection' : 'connection', (socket: Socket) => {
        connections += 1;
        let text = '';
        socket.on('error', () => undefined);
        socket.on('data', (chunk: Buffer) => {
          text += chunk.toString('latin1');
          for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
            const request = text.slice(0, end);
            text = text.slice(end + 4);
            answer(socket, request);
          }
        });
      });
      server.listen(0, 'localhost');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const baseUrl = `${isSecure ? 'https' : 'http'}://localhost:${port}`;
      transport = new NodeTransport({ baseUrl, ca: pki.caPem, headers: { 'X-Common': 'yes' } });
    }
    afterEach(async () => {
      await transport.close();
      server.close();
    });

    const receive = async (
      target: Uint8Array,
      signal = patience(),
      headers: Record<string, string> = {},
    ): Promise<boolean> => transport.receive({ path: '/images/id', headers }, target, signal);

    test('asks for it, and fills the memory, again on the same connection', async () => {
      const requests: string[] = [];
      await serve((socket, request) => {
        requests.push(request);
        socket.write(headOf(body.length));
        socket.write(body);
      });
      for (let times = 0; times < 3; times += 1) {
        const memory = new Uint8Array(new SharedArrayBuffer(body.length + 2)).fill(7);
        const target = memory.subarray(1, -1);
        assert.equal(await receive(target, patience(), { Range: 'bytes=0-5' }), true);
        assert.ok(body.equals(target));
        assert.deepEqual([memory[0], memory.at(-1)], [7, 7]);
      }
      assert.equal(connections, 1);
      const { port } = server.address() as AddressInfo;
      const lines = [
        'GET /images/id HTTP/1.1',
        `Host: localhost:${port}`,
        'X-Common: yes',
        'Range: bytes=0-5',
      ];
      assert.deepEqual(requests, Array(3).fill(lines.join('\r\n')));
    });

    test('takes a head and a body in any pieces', async () => {
      await serve((socket) => {
        const answer = Buffer.concat([Buffer.from(headOf(20_000)), body.subarray(0, 20_000)]);
        const sizes = [1, 10, 40, 30, 2000, answer.length];
        const sendNext = (start: number): void => {
          const end = Math.min(answer.length, start + (sizes.shift() ?? 0));
          socket.write(answer.subarray(start, end), () => {
            if (end < answer.length) setImmediate(sendNext, end);
          });
        };
        sendNext(0);
      });
      const target = new Uint8Array(20_000);
      assert.equal(await receive(target), true);
      assert.ok(body.subarray(0, 20_000).equals(target));
    });

    test('receives several at once', async () => {
      await serve((socket) => {
        socket.write(headOf(body.length));
        socket.write(body);
      });
      const targets = Array.from({ length: 4 }, () => new Uint8Array(body.length));
      assert.deepEqual(await Promise.all(targets.map((target) => receive(target))), Array(4).fill(true));
      assert.ok(targets.every((target) => body.equals(target)));
      assert.equal(connections, 4);
    });

    const others = {
      'another status': 'HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\n0123456789',
      'all of the image': 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789',
      'another length': `${headOf(9)}012345678`,
      'a larger part than it says': `${headOf(10)}0123456789abcdef`,
      'another part': `${headOf(10, 'Content-Range: bytes 10-19/100\r\n')}0123456789`,
      'no length': 'HTTP/1.1 206 Partial Content\r\n\r\n0123456789',
      chunks: `${headOf(10, 'Transfer-Encoding: chunked\r\n')}a\r\n0123456789\r\n0\r\n\r\n`,
      'a coding': `${headOf(10, 'Content-Encoding: gzip\r\n')}0123456789`,
      'a head without an end': `HTTP/1.1 206 Partial Content\r\nX: ${'x'.repeat(20_000)}`,
      'something else than HTTP': 'SSH-2.0-OpenSSH_9.2\r\n\r\n',
    };
    for (const [what, text] of Object.entries(others))
      test(`leaves ${what} to who can read it, and that connection`, async () => {
        await serve((socket) => socket.write(text));
        const first = { Range: 'bytes=0-9' };
        assert.equal(await receive(new Uint8Array(10), patience(), first), false);
        assert.equal(await receive(new Uint8Array(10), patience(), first), false);
        assert.equal(connections, 2);
      });

    test('takes the part that was asked for', async () => {
      await serve((socket) => socket.write(`${headOf(10, 'Content-Range: bytes 10-19/100\r\n')}0123456789`));
      const target = Buffer.alloc(10);
      assert.equal(await receive(target, patience(), { Range: 'bytes=10-19' }), true);
      assert.equal(target.toString(), '0123456789');
    });

    test('of an image fails when it is another part than was asked for, and may be tried again', async () => {
      const answers: Readonly<Record<string, string>> = {
        OPTIONS: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}',
        HEAD: 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n',
        GET: `${headOf(10, 'Content-Range: bytes 10-19/100\r\n')}0123456789`,
      };
      await serve((socket, request) => socket.write(answers[request.split(' ')[0] ?? ''] ?? ''));
      const image = await HttpImage.open(transport, '/images/id', patience());
      const target = Buffer.alloc(10);
      await image.read(target, 10, patience());
      assert.equal(target.toString(), '0123456789');
      await assert.rejects(
        image.read(Buffer.alloc(10), 0, patience()),
        (error) =>
          error instanceof TransferError && error.details.retryable && /another part/.test(error.message),
      );
    });

    test('uses no connection again that the service closes or sends more on', async () => {
      const sockets: Socket[] = [];
      await serve((socket) => {
        sockets.push(socket);
        const more = sockets.length === 1 ? 'Connection: keep-alive, close\r\n' : '';
        socket.write(`${headOf(10, more)}0123456789`);
      });
      assert.equal(await receive(new Uint8Array(10)), true);
      assert.equal(await receive(new Uint8Array(10)), true);
      const second = sockets[1] as Socket;
      const closed = once(second, 'close');
      second.write('more');
      await closed;
      assert.equal(await receive(new Uint8Array(10)), true);
      assert.equal(connections, 3);
    });

    test('fails when it breaks off, and that may be tried again', async () => {
      await serve((socket) => {
        socket.write(headOf(10));
        socket.end('01234');
      });
      await assert.rejects(
        receive(new Uint8Array(10)),
        (error) => error instanceof TransferError && error.details.retryable,
      );
    });

    test('gives up at once, and writes to the memory no more', async () => {
      const begun = new AbortController();
      await serve((socket) => {
        socket.write(headOf(10));
        socket.write('01234', () => {
          begun.abort(new Error('enough'));
        });
      });
      await assert.rejects(receive(new Uint8Array(10), begun.signal), /enough/);
      await assert.rejects(receive(new Uint8Array(10), AbortSignal.abort(new Error('before'))), /before/);
      assert.equal(connections, 1);
    });

    test('fails when the service is silent for too long', async () => {
      await serve((socket) => socket.write(headOf(10)));
      await transport.close();
      const { port } = server.address() as AddressInfo;
      const baseUrl = `${isSecure ? 'https' : 'http'}://localhost:${port}`;
      transport = new NodeTransport({ baseUrl, ca: pki.caPem, silenceSeconds: 0.2 });
      await assert.rejects(receive(new Uint8Array(10)), /silent for 0.2 seconds/);
    });

    test('sends no header that would be two', async () => {
      await serve(() => undefined);
      await assert.rejects(receive(new Uint8Array(1), patience(), { Range: 'x\r\nEvil: yes' }), TypeError);
    });
  });
}

describe('a certificate that does not verify', () => {
  test('is final, unless it is told not to look', async () => {
    const { keyPem: key, certPem: cert } = identity;
    const server = createTlsServer({ key, cert }, (socket) => {
      socket.on('error', () => undefined).on('data', () => socket.write(`${headOf(2)}ok`));
    });
    server.listen(0, 'localhost');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const baseUrl = `https://localhost:${port}`;
    const strict = new NodeTransport({ baseUrl });
    const careless = new NodeTransport({ baseUrl, insecure: true });
    try {
      await assert.rejects(
        strict.receive({ path: '/' }, new Uint8Array(2), patience()),
        (error) => error instanceof TransferError && !error.details.retryable,
      );
      const target = Buffer.alloc(2);
      assert.equal(await careless.receive({ path: '/' }, target, patience()), true);
      assert.equal(target.toString(), 'ok');
    } finally {
      await strict.close();
      await careless.close();
      server.close();
    }
  });
});
