import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, test } from 'node:test';

import { NoSpaceError } from '../../src/base/errors.js';
import { NbdClient } from '../../src/images/backends/nbd/nbd-client.js';
import {
  NbdConnectionError,
  NbdProtocolError,
  NbdRequestError,
} from '../../src/images/backends/nbd/nbd-errors.js';
import { openImage, readBytes } from './images.js';
import { type ClientRequest, type Script, ScriptedServer } from './scripted-server.js';
import { dataChunk, errorChunk, noneChunk, simpleReply } from './server-messages.js';
import { Workspace } from './servers.js';

const sizeBytes = 1024 * 1024;
const [read, write, disconnect, writeZeroes] = [0, 1, 2, 6];

/** Answers as it should: reads as the low byte of each offset. */
function answer({ command, cookie, offsetBytes, lengthBytes }: ClientRequest): Buffer | undefined {
  if (command === disconnect) return undefined;
  if (command !== read) return noneChunk(cookie);
  const data = Buffer.from(Uint8Array.from({ length: lengthBytes }, (_, at) => offsetBytes + at));
  return dataChunk(cookie, offsetBytes, data, true);
}

async function withServer(
  script: Partial<Script>,
  use: (server: ScriptedServer, connect: () => Promise<NbdClient>) => Promise<void>,
): Promise<void> {
  await using workspace = await Workspace.create();
  await using server = await ScriptedServer.listen(workspace.path('sock'), {
    sizeBytes,
    reply: answer,
    ...script,
  });
  await use(server, () => connectTo(server.socketPath));
}

function connectTo(socketPath: string, connectTimeoutSeconds = 10): Promise<NbdClient> {
  const location = { address: { socketPath }, exportName: '' };
  return NbdClient.connect({ location, dirtyBitmap: false, connectTimeoutSeconds });
}

/** A server that leaves the first request that it gets to the test. */
function hold(): { script: Partial<Script>; held: Promise<{ request: ClientRequest; socket: Socket }> } {
  let resolve!: (held: { request: ClientRequest; socket: Socket }) => void;
  const held = new Promise<{ request: ClientRequest; socket: Socket }>((done) => (resolve = done));
  const reply: Script['reply'] = (request, socket) => {
    resolve({ request, socket });
    return undefined;
  };
  return { script: { reply }, held };
}

/** However it closes: with a reset too. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => {
      resolve();
    });
  });
}

describe('an NBD server that breaks the protocol', () => {
  for (const [what, reply] of [
    ['sends garbage', () => Buffer.from('this is not a reply')],
    ['answers with a wrong cookie', ({ cookie }: ClientRequest) => noneChunk(cookie + 1)],
    [
      'sends more than was asked for',
      ({ cookie }: ClientRequest) => dataChunk(cookie, 0, Buffer.alloc(8192), true),
    ],
    [
      'sends less than was asked for',
      ({ cookie }: ClientRequest) => dataChunk(cookie, 0, Buffer.alloc(100), true),
    ],
  ] as const) {
    test(`fails all pending requests and is asked again on a new connection when it ${what}`, async () => {
      let broken = true;
      const script = { reply: (request: ClientRequest) => (broken ? reply(request) : answer(request)) };
      await withServer(script, async (server) => {
        const image = await openImage(server.url);
        const outcomes = await Promise.allSettled([readBytes(image, 0, 4096), readBytes(image, 4096, 4096)]);
        for (const outcome of outcomes) {
          assert.ok(outcome.status === 'rejected' && outcome.reason instanceof NbdProtocolError);
        }
        broken = false;
        assert.equal((await readBytes(image, 7, 1))[0], 7);
        await image.close();
      });
    });
  }

  test('fails pending and later requests when it hangs up in the middle of a reply', async () => {
    const script: Partial<Script> = {
      reply: (request, socket) => {
        socket.end(answer(request)!.subarray(0, 1000));
        return undefined;
      },
    };
    await withServer(script, async (_server, connect) => {
      const client = await connect();
      await assert.rejects(client.read(new Uint8Array(4096), 0), NbdConnectionError);
      assert.equal(client.isClosed, true);
      await assert.rejects(client.read(new Uint8Array(4096), 0), NbdConnectionError);
    });
  });

  test('does not touch the memory of a read that failed with the connection', async () => {
    const { script, held } = hold();
    await withServer(script, async (_server, connect) => {
      const client = await connect();
      const target = new Uint8Array(256 * 1024);
      const reading = assert.rejects(client.read(target, 0), NbdProtocolError);
      const { request, socket } = await held;
      const half = dataChunk(request.cookie, 0, Buffer.alloc(64 * 1024, 1));
      socket.write(Buffer.concat([half, half, Buffer.alloc(512 * 1024, 0xff)]));
      await reading;
      const before = Buffer.from(target);
      await closeOf(socket);
      assert.ok(before.equals(target));
    });
  });
});

describe('an NBD server that refuses single requests', () => {
  for (const [error, expected] of [
    [1, { name: 'NbdRequestError', errorName: 'EPERM' }],
    [5, { name: 'NbdRequestError', errorName: 'EIO' }],
    [22, { name: 'NbdRequestError', errorName: 'EINVAL' }],
    [28, { name: 'NoSpaceError', code: 'no_space' }],
  ] as const) {
    test(`keeps the connection after error ${error}`, async () => {
      let connections = 0;
      const reply = (request: ClientRequest): Buffer | undefined =>
        request.command === write ? errorChunk(request.cookie, error, 'refused') : answer(request);
      const send: Script['send'] = (socket, bytes) => {
        if (bytes.subarray(0, 8).toString() === 'NBDMAGIC') connections += 1;
        socket.write(bytes);
      };
      await withServer({ reply, send }, async (server) => {
        const image = await openImage(server.url);
        await assert.rejects(image.write(new Uint8Array(4096), 0), expected);
        assert.equal((await readBytes(image, 9, 1))[0], 9);
        assert.equal(connections, 1);
        await image.close();
      });
    });
  }

  for (const [name, error] of [
    ['ENOTSUP', 95],
    ['EINVAL', 22],
  ] as const) {
    test(`has zeroes written by hand when it answers ${name} to WRITE_ZEROES`, async () => {
      const commands: [command: number, lengthBytes: number][] = [];
      const reply = (request: ClientRequest): Buffer | undefined => {
        commands.push([request.command, request.lengthBytes]);
        assert.ok(request.data.every((byte) => byte === 0));
        return request.command === writeZeroes ? errorChunk(request.cookie, error) : answer(request);
      };
      await withServer({ reply }, async (server) => {
        const image = await openImage(server.url);
        await image.zero({ offsetBytes: 5, lengthBytes: 100_000 }, { sparse: false });
        assert.deepEqual(commands, [
          [writeZeroes, 100_000],
          [write, 100_000],
        ]);
        await image.close();
      });
    });
  }

  test('tells full storage from other errors in simple replies too', async () => {
    const reply = ({ cookie }: ClientRequest): Buffer => simpleReply(cookie, 28);
    await withServer({ reply }, async (_server, connect) => {
      const client = await connect();
      await assert.rejects(client.flush(), (error: Error) => {
        return error instanceof NoSpaceError && error.cause instanceof NbdRequestError;
      });
      await client.disconnect();
    });
  });
});

describe('an NBD server that hangs', () => {
  test('holds only the request that it does not answer', async () => {
    let unanswered: { cookie: number; socket: Socket } | undefined;
    const reply: Script['reply'] = (request, socket) => {
      if (request.command !== write) return answer(request);
      unanswered = { cookie: request.cookie, socket };
      return undefined;
    };
    await withServer({ reply }, async (server) => {
      const image = await openImage(server.url);
      let written = false;
      const writing = image.write(new Uint8Array(512), 0).then(() => (written = true));
      assert.equal((await readBytes(image, 3, 1))[0], 3);
      let closed = false;
      const closing = image.close().then(() => (closed = true));
      assert.deepEqual([written, closed], [false, false]);
      unanswered!.socket.write(noneChunk(unanswered!.cookie));
      await Promise.all([writing, closing]);
    });
  });

  test('does not get a write settled before its memory is free, even if it refuses it at once', async () => {
    let heldRead: ClientRequest | undefined;
    let stall!: (socket: Socket) => void;
    const stalled = new Promise<Socket>((resolve) => (stall = resolve));
    const script: Partial<Script> = {
      reply: (request) => {
        if (request.command === read) heldRead = request;
        return undefined;
      },
      // Refuses the write when only its head has come, and takes no more of it; then answers the read before.
      onWriteBegun: ({ cookie }, socket) => {
        socket.pause();
        socket.write(Buffer.concat([errorChunk(cookie, 28), answer(heldRead!)!]));
        stall(socket);
      },
    };
    await withServer(script, async (_server, connect) => {
      const client = await connect();
      const reading = client.read(new Uint8Array(512), 0);
      let settled = false;
      const writing = client.write(new Uint8Array(16 * 1024 * 1024), 0).finally(() => (settled = true));
      const refused = assert.rejects(writing, NoSpaceError);
      const socket = await stalled;
      await reading;
      assert.equal(settled, false);
      socket.resume();
      await refused;
      await client.disconnect();
    });
  });

  test('is given up on at the connect timeout when it never greets', async () => {
    await using workspace = await Workspace.create();
    const silent = createServer();
    silent.listen(workspace.path('sock'));
    await once(silent, 'listening');
    const accepted = once(silent, 'connection') as Promise<[Socket]>;
    await assert.rejects(connectTo(workspace.path('sock'), 0.05), /did not answer within 0.05 s/);
    const [socket] = await accepted;
    await closeOf(socket.resume());
    silent.close();
  });
});
