import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Socket } from 'node:net';
import { MemoryBackend } from '../../../test/support/memory-backend.js';
import { ManualClock, ticketDefinition } from '../../../test/support/tickets.js';
import { ClientGoneError, StorageError } from '../../base/errors.js';
import { ClientConnection } from '../../wire/client-connection.js';
import { Ticket } from '../../tickets/ticket.js';
import type { Backend, ImageRequest, ImageSource } from '../backends/backend.js';
import { KeptDigests } from '../checksum/kept-digests.js';
import { OpenImages } from './open-images.js';

/** Opens images in memory and remembers them. */
class MemorySource implements ImageSource {
  readonly schemes = ['memory'];
  readonly opened: MemoryBackend[] = [];
  readonly requests: ImageRequest[] = [];
  readonly signals: (AbortSignal | undefined)[] = [];
  failure: Error | undefined;
  gate: Promise<unknown> = Promise.resolve();

  async open(request: ImageRequest, signal?: AbortSignal): Promise<Backend> {
    this.requests.push(request);
    this.signals.push(signal);
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
    const backend = new MemoryBackend(Buffer.alloc(10));
    this.opened.push(backend);
    return backend;
  }
}

/** Of an operation that nobody aborts. */
const running = new AbortController().signal;

function connect(): { connection: ClientConnection; socket: Socket } {
  const socket = new Socket();
  const limits = {
    unauthorisedSilenceSeconds: 60,
    unauthorisedLifeSeconds: 120,
    drainBytes: 0,
    lingerSeconds: 0,
  };
  return { connection: ClientConnection.accept(socket, limits), socket };
}

function makeTicket(url = 'memory:image'): Ticket {
  return new Ticket(ticketDefinition({ url, sparse: true }), new ManualClock(), { rangesMax: 16 });
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => {
      resolve();
    });
    socket.destroy();
  });
}

describe('the image of a ticket', () => {
  test('is opened once for each connection, as the ticket says', async () => {
    const source = new MemorySource();
    const images = new OpenImages([source], new KeptDigests(1));
    const ticket = makeTicket();
    const [one, other] = [connect(), connect()];
    const [first, second] = await Promise.all([
      images.open(one.connection, ticket, running),
      images.open(one.connection, ticket, running),
    ]);
    assert.equal(first, second);
    assert.notEqual(await images.open(other.connection, ticket, running), first);
    assert.equal(ticket.info().connections, 2);
    const { unflushed, ...asked } = source.requests[0]!;
    assert.deepEqual(asked, { url: 'memory:image', writable: true, sparse: true, dirty: false });
    assert.notEqual(unflushed, undefined);
  });

  test('is closed with the connection', async () => {
    const source = new MemorySource();
    const ticket = makeTicket();
    const { connection, socket } = connect();
    await new OpenImages([source], new KeptDigests(1)).open(connection, ticket, running);
    await closed(socket);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(source.opened[0]!.closeCount, 1);
    assert.equal(ticket.info().connections, 0);
  });

  test('is closed with the ticket, while the connection goes on', async () => {
    const source = new MemorySource();
    const images = new OpenImages([source], new KeptDigests(1));
    const ticket = makeTicket();
    const { connection } = connect();
    await images.open(connection, ticket, running);
    ticket.cancel();
    await ticket.closed();
    assert.equal(source.opened[0]!.closeCount, 1);
    await images.open(connection, makeTicket(), running);
    assert.equal(source.opened.length, 2);
  });

  test('that cannot be opened is tried again by the next request', async () => {
    const source = new MemorySource();
    const images = new OpenImages([source], new KeptDigests(1));
    const ticket = makeTicket();
    const { connection } = connect();
    source.failure = new StorageError('away');
    await assert.rejects(images.open(connection, ticket, running), /away/);
    assert.equal(ticket.info().connections, 0);
    source.failure = undefined;
    await images.open(connection, ticket, running);
    assert.equal(ticket.info().connections, 1);
  });

  test('is closed when the client left while it was being opened', async () => {
    const source = new MemorySource();
    const ticket = makeTicket();
    const { connection, socket } = connect();
    const gate = Promise.withResolvers<undefined>();
    source.gate = gate.promise;
    const opening = new OpenImages([source], new KeptDigests(1)).open(connection, ticket, running);
    await closed(socket);
    gate.resolve(undefined);
    await assert.rejects(opening, ClientGoneError);
    assert.equal(source.opened[0]!.closeCount, 1);
    await ticket.closed();
    assert.equal(ticket.info().connections, 0);
  });

  test('is opened for as long as the operation that needs it wants it', async () => {
    const source = new MemorySource();
    const { signal } = new AbortController();
    await new OpenImages([source], new KeptDigests(1)).open(connect().connection, makeTicket(), signal);
    assert.deepEqual(source.signals, [signal]);
  });

  test('of a kind that is unknown is a failure of storage', async () => {
    const images = new OpenImages([new MemorySource()], new KeptDigests(1));
    for (const url of ['ftp://x', 'nothing', '', '__proto__:x']) {
      await assert.rejects(images.open(connect().connection, makeTicket(url), running), StorageError);
    }
  });
});
