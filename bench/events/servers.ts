import { ProxiesUnderTest } from '../../test/e2e/proxies-under-test.js';
import type { Address } from '../../test/support/address.js';
import { imagePath } from '../../test/support/client.js';
import type { ListenerName, Service } from '../../test/support/processes.js';
import { Program } from '../../test/support/program.js';
import { pinnedNode } from '../../test/support/project.js';

/** Who answers with streams of events, and where. */
export interface EventServer extends AsyncDisposable {
  readonly program: Program;
  readonly address: Address;
  readonly path: string;
}

interface Candidate {
  readonly name: string;
  readonly start: () => Promise<EventServer>;
}

/** Who is compared. Each is started anew for each measurement. */
export const candidates: readonly Candidate[] = [
  { name: 'daemon, TLS', start: () => startDaemon('remote') },
  { name: 'bare server, TLS', start: () => startBare('tls') },
  { name: 'daemon, unix socket', start: () => startDaemon('local') },
  { name: 'bare server, unix socket', start: () => startBare('unix') },
  { name: 'proxy, TLS on both sides', start: startProxy },
];

/** What the daemon itself runs with (`src/node-internals/runtime-options.ts`). */
const optionsOfDaemon = ['--max-semi-space-size=2'];
const environmentOfDaemon = { MALLOC_ARENA_MAX: '2' };

/** More than any measurement has. */
const configuration = { limits: { event_streams: 100_000 } };

/** Longer than any measurement: the ticket is not used meanwhile. */
const timeout = 86_400;

async function startDaemon(listener: ListenerName): Promise<EventServer> {
  const world = await ProxiesUnderTest.start(configuration);
  const { ticketId } = await world.addImage(Buffer.alloc(1024), { timeout });
  return ofService(world, world.daemon, listener, `${imagePath(ticketId)}/events`);
}

async function startProxy(): Promise<EventServer> {
  const world = await ProxiesUnderTest.start(configuration);
  const proxy = await world.startProxy(configuration);
  const image = await world.addImage(Buffer.alloc(1024), { timeout });
  const session = await world.openSession(proxy, image);
  return ofService(world, proxy, 'remote', `${imagePath(image.ticketId)}/events?session_id=${session}`);
}

function ofService(
  world: ProxiesUnderTest,
  service: Service,
  listener: ListenerName,
  path: string,
): EventServer {
  return {
    program: service.program,
    address: service.address(listener),
    path,
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

async function startBare(kind: 'tls' | 'unix'): Promise<EventServer> {
  const world = await ProxiesUnderTest.start();
  const { keyFile, certFile } = await world.pki.issueHost('bare');
  const place = kind === 'tls' ? ['tls', keyFile, certFile] : [world.folder.file('bare.sock')];
  const file = new URL('bare-server.js', import.meta.url).pathname;
  const program = await Program.start(pinnedNode, [...optionsOfDaemon, file, ...place], {
    env: environmentOfDaemon,
  });
  const at = await program.waitForLine((line) => /^listening (.*)$/.exec(line)?.[1], 'the server to listen');
  return {
    program,
    address: kind === 'tls' ? { kind, port: Number(at), ca: world.pki.caPem } : { kind, path: at },
    path: '/',
    [Symbol.asyncDispose]: async () => {
      await program.kill();
      await world[Symbol.asyncDispose]();
    },
  };
}
