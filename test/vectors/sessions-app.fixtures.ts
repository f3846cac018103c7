import type { TestContext } from 'node:test';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import pino from 'pino';
import { FakeClock, makeVerifier } from './signed-ticket.fixtures.js';
import { HttpApplication } from '../../src/http/http-application.js';
import { HttpListener } from '../../src/listeners/http-listener.js';
import { FailedAuthentications } from '../../src/sessions/failed-authentications.js';
import { MemoryGrantStore } from '../../src/sessions/memory-grant.store.js';
import { MemorySessionStore } from '../../src/sessions/memory-session.store.js';
import { SessionsModule } from '../../src/sessions/sessions.module.js';
import { KiB } from '../../src/units.js';
import { listenerLimits } from '../fixtures/listener-limits.js';

export interface SessionsApp {
  /** Without a slash at its end. */
  readonly url: string;
  readonly app: NestFastifyApplication;
  readonly sessions: MemorySessionStore;
  readonly grants: MemoryGrantStore;
}

/** The sessions module behind a listener of its own on a free port of loopback; it ends with the test. */
export async function startSessionsApp(
  t: TestContext,
  { sessionsMax = 100, failuresMax = 100 } = {},
): Promise<SessionsApp> {
  const clock = new FakeClock();
  const options = { sessionsMax, sessionsPerTicketMax: 8, sweepIntervalSeconds: 1 };
  const sessions = new MemorySessionStore(options, clock);
  const grants = new MemoryGrantStore(options, clock);
  const logger = pino({ level: 'silent' });
  const application = await HttpApplication.create(
    {
      module: SessionsModule.register({
        sessionStore: sessions,
        grantStore: grants,
        ticketVerifier: makeVerifier({ clock }),
        failedAuthentications: new FailedAuthentications(
          { failuresMax, failuresPerSecond: 1, addressesMax: 10 },
          clock,
        ),
      }),
      bodyBytesMax: 64 * KiB,
      requestHeadBytes: 16 * KiB,
      subResources: { tickets: [], sessions: [] },
    },
    logger,
  );
  await application.init();
  const listener = new HttpListener(
    {
      name: 'remote',
      handler: application.handle,
      allowedMethods: application.allowedMethods,
      listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
      requireHostHeader: true,
      limits: listenerLimits,
    },
    logger,
  );
  await listener.open();
  t.after(async () => {
    listener.close();
    await application.close();
    await sessions.close();
    await grants.close();
  });
  return { url: listener.address, app: application.nest, sessions, grants };
}
