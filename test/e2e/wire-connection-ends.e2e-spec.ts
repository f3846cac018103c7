import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { after, before, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { eventually } from '../support/deadline.js';
import { heldConnections } from '../support/held-connections.js';
import { RawSocket } from '../support/raw-socket.js';
import { withoutTls } from './daemon-under-test.js';
import { allWireRoutes, describeWire, type Wire } from './wire-under-test.js';

// More than the socket buffers of both sides.
const largeBytes = 24 * MiB;
// A whole one would be answered.
const beginOfHello = Buffer.from('16030100c8010000c40303', 'hex');

/** Brings a new connection into a state. */
type Bring = (wire: Wire, hungStorage: string) => Promise<RawSocket>;

const handshakes: Readonly<Record<string, Bring>> = {
  'before TLS': (wire) => connectPlain(wire),
  'during the TLS handshake': async (wire) => {
    const socket = await connectPlain(wire);
    await socket.send(beginOfHello);
    return socket;
  },
};

/** In which the client may be silent for a while only. */
const waiting: Readonly<Record<string, Bring>> = {
  'before the first byte': (wire) => wire.connect(),
  'in a head': async (wire) => {
    const socket = await wire.connect();
    await socket.send('GET /images/x HTTP/1.1\r\nHo');
    return socket;
  },
  'in the body of an upload': async (wire) => {
    const image = await wire.addImage(100, { inactivity_timeout: 1 });
    const socket = await wire.connect();
    await socket.send(wire.request('PUT', image.path, ['Content-Length: 100'], 'x'.repeat(40)));
    await wire.ticketState(image, ({ active }) => active, 'the upload runs');
    return socket;
  },
  'in a JSON body': async (wire) => {
    const image = await wire.addImage(100, { inactivity_timeout: 1 });
    const socket = await wire.connect();
    await socket.send(wire.request('PATCH', image.path, ['Content-Length: 100'], '{"op":'));
    return socket;
  },
  'between two requests': async (wire) => {
    const image = await wire.addImage(100, { inactivity_timeout: 1 });
    const socket = await wire.connect();
    await socket.send(wire.request('GET', image.path));
    await socket.readUntil('\0'.repeat(100));
    return socket;
  },
  'after a refusal in mid-body': async (wire) => {
    const socket = await wire.connect();
    await socket.send(wire.request('PUT', await wire.addUnknownImage(), ['Content-Length: 1000'], 'x'));
    await socket.readUntil('HTTP/1.1 403');
    return socket;
  },
};

/** In which the service owes an answer, also to who has ended its side. */
const answering: Readonly<Record<string, Bring>> = {
  'while it does not read an answer': async (wire) => {
    const image = await wire.addImage(largeBytes, { ops: ['read'], inactivity_timeout: 1 });
    const socket = await wire.connect();
    await socket.send(wire.request('GET', image.path));
    await socket.readAtLeast(1);
    socket.pause();
    return socket;
  },
};

const working: Readonly<Record<string, Bring>> = {
  'while storage hangs': async (wire, url) => {
    const image = await wire.addImage(undefined, { size: 100, url });
    const socket = await wire.connect();
    await socket.send(wire.request('GET', image.path));
    await wire.ticketState(image, ({ active }) => active, 'the request runs');
    return socket;
  },
  'while storage hangs and another request waits': async (wire, url) => {
    const image = await wire.addImage(undefined, { size: 100, url });
    const socket = await wire.connect();
    await socket.send(wire.request('GET', image.path) + wire.request('GET', image.path));
    await wire.ticketState(image, ({ active }) => active, 'the request runs');
    return socket;
  },
};

const ends = {
  FIN: (socket: RawSocket) => {
    socket.halfClose();
  },
  close: (socket: RawSocket) => {
    socket.close();
  },
  RST: (socket: RawSocket) => {
    socket.reset();
  },
} as const;

function connectPlain(wire: Wire): Promise<RawSocket> {
  return RawSocket.connect(withoutTls(wire.address));
}

/** What each way of ending is for: whoever has only ended its side may still want its answer. */
function cases(speaksTls: boolean): [string, Bring, keyof typeof ends][] {
  const each = (states: Readonly<Record<string, Bring>>, ...how: (keyof typeof ends)[]) =>
    Object.entries(states).flatMap(([state, bring]) =>
      how.map((end): [string, Bring, keyof typeof ends] => [state, bring, end]),
    );
  return [
    ...(speaksTls ? each(handshakes, 'FIN', 'close', 'RST') : []),
    ...each(waiting, 'FIN', 'close', 'RST'),
    ...each(answering, 'close', 'RST'),
    ...each(working, 'RST'),
  ];
}

/** None of its own that could end the connection within the patience of the tests. */
const patient = {
  limits: {
    handshake_timeout_sec: 600,
    headers_timeout_sec: 600,
    unauthorised_silence_sec: 600,
    unauthorised_life_sec: 600,
    linger_sec: 600,
  },
};
const hasty = {
  daemon: { inactivity_timeout: 1 },
  limits: { handshake_timeout_sec: 1, headers_timeout_sec: 1, unauthorised_silence_sec: 1, linger_sec: 1 },
};
const goneWithinMs = 10_000;
const plain = { tls: { enable: false } };

for (const { name, transport, routes } of [
  { name: 'TLS and unix', transport: {}, routes: allWireRoutes },
  { name: 'TCP', transport: plain, routes: ['straight to the daemon', 'through the proxy with a session'] },
] as const) {
  describeWire(
    `a connection over ${name}`,
    { configuration: { ...transport, ...patient }, routes },
    (wire) => {
      const speaksTls = name !== 'TCP' && wire.route !== 'over the local socket';
      const storage = hungStorage(wire);
      for (const [state, bring, end] of cases(speaksTls)) {
        test(`that ends with ${end} ${state} is gone`, async () => {
          await isGone(wire, () => bring(wire, storage.url), ends[end]);
        });
      }
    },
  );

  describeWire(
    `a silent connection over ${name}`,
    { configuration: { ...transport, ...hasty }, routes },
    (wire) => {
      const speaksTls = name !== 'TCP' && wire.route !== 'over the local socket';
      for (const [state, bring] of Object.entries({
        ...(speaksTls ? handshakes : {}),
        ...waiting,
        ...answering,
      })) {
        test(`is closed ${state}`, async () => {
          await isGone(wire, () => bring(wire, ''));
        });
      }
    },
  );
}

/** Brings a connection into a state and ends it, and waits until the service has closed its descriptor. */
async function isGone(
  wire: Wire,
  bring: () => Promise<RawSocket>,
  end?: (socket: RawSocket) => void,
): Promise<void> {
  const { program } = wire.service;
  const held = (): Promise<number> => heldConnections(program.pid, wire.address);
  const socket = await bring();
  try {
    if (end !== undefined) {
      await eventually(async () => (await held()) === 1 || undefined, 'the connection is accepted');
      end(socket);
    }
    await eventually(async () => (await held()) === 0 || undefined, 'its descriptor is closed', {
      deadlineMs: goneWithinMs,
    });
  } finally {
    socket.close();
  }
}

/** An NBD server that takes connections and says nothing. */
function hungStorage(wire: Wire): { readonly url: string } {
  const storage = { url: '' };
  const server: Server = createServer();
  before(async () => {
    const path = wire.daemon.folder.file(`hung-${wire.route.replaceAll(' ', '-')}`);
    server.listen(path);
    await once(server, 'listening');
    storage.url = `nbd:unix:${path}`;
  });
  after(() => {
    server.close();
  });
  return storage;
}
