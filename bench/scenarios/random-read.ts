import { pathToFileURL } from 'node:url';
import { KiB } from '../../src/base/units.js';
import { readRandomly } from '../clients/random-reads.js';
import type { WorkDone } from '../measure.js';
import type { BenchServer } from '../server.js';
import type { Side } from '../side.js';
import type { Stand } from '../stand.js';
import { startRelay } from './relay.js';
import type { Scenario, Subject } from './scenario.js';

/** Small GETs at random positions over kept-alive connections: what a request costs apart from its bytes. */
export class RandomReadScenario implements Scenario {
  readonly name = 'random-get-4k-https-8';

  readonly title = 'random GET of 4 KiB, 8 connections, HTTPS';

  async start(stand: Stand, side: Side, lifetime: AsyncDisposableStack): Promise<Subject> {
    const server = await stand.startServer(side, lifetime);
    const ticketId = 'random';
    await server.addTicket({
      id: ticketId,
      url: pathToFileURL(stand.source(0)).href,
      sizeBytes: stand.options.imageBytes,
      ops,
    });
    return randomReads(stand, server, ticketId);
  }
}

/** The same through a proxy; the proxy alone is measured. */
export class RelayRandomReadScenario implements Scenario {
  readonly name = 'relay-random-get-4k-8';

  readonly title = 'random GET of 4 KiB through the proxy, 8 connections, HTTPS twice';

  async start(stand: Stand, side: Side, lifetime: AsyncDisposableStack): Promise<Subject> {
    const { server, ticketId } = await startRelay(stand, side, lifetime, stand.source(0), ops);
    return randomReads(stand, server, ticketId);
  }
}

// With `read` alone the Python service accounts each separate range, in time that grows with their square.
const ops = ['read', 'write'] as const;

function randomReads(stand: Stand, server: BenchServer, ticketId: string): Subject {
  const read = (requests: number): Promise<WorkDone> =>
    readRandomly({
      port: server.port,
      caFile: server.caFile,
      ticketId,
      connections: 8,
      requests,
      lengthBytes: 4 * KiB,
      image: stand.source(0),
    });
  return {
    measured: [server],
    // The warm-up takes as long as a run, so that the hot code of the service is compiled as in a service
    // that has been up for a minute.
    warmUp: async () => {
      await read(stand.options.randomReads);
    },
    run: () => read(stand.options.randomReads),
  };
}
