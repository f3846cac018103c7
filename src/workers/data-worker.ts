import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { parentPort, workerData } from 'node:worker_threads';
import { BufferPool } from '../images/buffers/buffer-pool.js';
import { releasingMemory } from '../node-internals/release-memory.js';
import { secureContextOf, tlsServerOptions } from '../wire/server-tls.js';
import { BufferCounts } from './buffer-counts.js';
import { GrantCells } from './grant-cells.js';
import type { WorkerCommand, WorkerEvent, WorkerStart } from './messages.js';
import { ReadLedger } from './read-ledger.js';
import { ClientLink } from './thread/client-link.js';
import type { DownloadMeans } from './thread/download-means.js';
import { EndedClients } from './thread/ended-clients.js';
import { Reports } from './thread/reports.js';

// A data worker (docs/architecture.md, "Data workers"): it speaks TLS with clients, answers plain downloads
// that it has a grant for, and passes everything else on to the main thread.

assert.ok(parentPort !== null, 'this file runs as a worker thread');
const port = parentPort;
const start = workerData as WorkerStart;

const tell = (event: WorkerEvent): void => {
  port.postMessage(event);
};
if (!start.releasesMemory) releasingMemory.turnOff('it is off in the main thread');
const reports = new Reports(start, tell);
const poolSize = { poolBytes: start.bufferPoolBytes, bufferBytes: start.bufferBytes };
const counts = new BufferCounts(poolSize, start.counts);
let pool: BufferPool | undefined;
const means: DownloadMeans = {
  listener: start.listener,
  readsImages: start.readsImages,
  get pool() {
    // Without a grant there is no use for it, as in a proxy.
    return (pool ??= new BufferPool(poolSize));
  },
  cells: new GrantCells(start.cells),
  ledger: new ReadLedger(start.ledger),
  counts,
  reports,
  ended: new EndedClients(),
  tell,
};
/** By the numbers of their connections, while TLS is spoken. */
const links = new Map<number, ClientLink>();
/** Of all connections. */
const sockets = new Map<number, Socket>();
/** It never listens: the main thread accepts, and its connections are given to it here. */
const server = createServer({
  ...tlsServerOptions(start.tls, start.handshakeSeconds),
  ticketKeys: Buffer.from(start.sessionTicketKeys),
});
/** By their ends, as Node does not tell on which connection TLS is spoken. */
const handshakes = new Map<string, Handshake>();

server.on('secureConnection', (client) => {
  const handshake = handshakes.get(endsOf(client));
  if (handshake === undefined) client.destroy();
  else handshake.secure(client);
});
server.on('tlsClientError', ({ message }, client) => {
  const handshake = handshakes.get(endsOf(client));
  if (handshake !== undefined) handshake.failure = message;
  client.destroy();
});

interface Handshake {
  failure: string;
  readonly secure: (client: TLSSocket) => void;
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

function accept({ id, fd, passageFd, received, address }: Extract<WorkerCommand, { kind: 'client' }>): void {
  const socket = new Socket({ fd, readable: true, writable: true });
  const passage = new Socket({ fd: passageFd, readable: true, writable: true, allowHalfOpen: true });
  passage.pause();
  sockets.set(id, socket);
  const ends = endsOf(socket);
  const handshake: Handshake = {
    failure: 'The client has gone',
    secure: (client) => {
      handshakes.delete(ends);
      // The client may end its side and still gets its answer.
      client.allowHalfOpen = true;
      const { lingerSeconds, silenceSeconds } = start;
      links.set(id, new ClientLink({ id, client, passage, address, lingerSeconds, silenceSeconds }, means));
      passage.resume();
      tell({ kind: 'secure', id });
    },
  };
  handshakes.set(ends, handshake);
  // The `close` event that follows does the rest.
  socket.on('error', () => undefined);
  socket.once('close', () => {
    passage.destroy();
    sockets.delete(id);
    // Another connection may have the same ends by now.
    if (handshakes.get(ends) === handshake) handshakes.delete(ends);
    if (!links.delete(id)) tell({ kind: 'failed', id, reason: handshake.failure });
    tell({ kind: 'closed', id });
  });
  socket.unshift(received);
  server.emit('connection', socket);
}

port.on('message', (command: WorkerCommand) => {
  switch (command.kind) {
    case 'client':
      accept(command);
      break;
    case 'destroy':
      (links.get(command.id) ?? sockets.get(command.id))?.destroy();
      break;
    case 'cut':
      links.get(command.id)?.cut();
      break;
    case 'answered':
      links.get(command.id)?.answered(command.sentBytes);
      break;
    case 'grant':
      links.get(command.id)?.grant(command.image);
      break;
    case 'asked':
      links.get(command.id)?.asked(command.ticketId, command.lending);
      break;
    case 'revoke':
      links.get(command.id)?.revoked(command.grant);
      break;
    case 'tls':
      server.setSecureContext(secureContextOf(command.tls));
      break;
    case 'log':
      reports.logsRequests = command.logsRequests;
      break;
    case 'abort':
      for (const link of links.values()) link.abort();
      break;
    case 'end':
      for (const socket of sockets.values()) socket.destroy();
      setImmediate(() => {
        reports.flush();
        port.close();
      });
      break;
  }
});
