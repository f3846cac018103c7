import type { TestContext } from 'node:test';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import pino from 'pino';
import { CLOCK } from '../../src/base/clock.js';
import { SESSION_STORE, type SessionStore } from '../../src/sessions/stores/session.store.js';
import { GRANT_STORE, type GrantStore } from '../../src/sessions/stores/grant.store.js';
import { TICKET_VERIFIER } from '../../src/sessions/signed-tickets/ticket.verifier.js';
import { configWith, startRole } from './role-under-test.js';
import { FakeClock, makeVerifier } from './signed-tickets.js';

export interface SessionsApp {
  /** Without a slash at its end. */
  readonly url: string;
  readonly app: NestFastifyApplication;
  readonly sessions: SessionStore;
  readonly grants: GrantStore;
}

/**
 * A proxy on a free port of loopback, at a time when the signed tickets of the tests
 * are valid; it ends with the test.
 */
export async function startSessionsApp(
  t: TestContext,
  { sessionsMax = 100, failuresMax = 100 } = {},
): Promise<SessionsApp> {
  const clock = new FakeClock();
  const config = configWith('proxy', {
    tls: { enable: false },
    remote: { host: '127.0.0.1', port: 0 },
    local: { enable: false },
    control: { enable: false },
    metrics: { enable: false },
    limits: {
      sessionsMax,
      sessionsPerTicketMax: 8,
      failedAuthenticationsMax: failuresMax,
      failedAuthenticationsPerSecond: 1,
    },
  });
  const role = await startRole('proxy', config, pino({ level: 'silent' }), (module) =>
    module
      .overrideProvider(CLOCK)
      .useValue(clock)
      .overrideProvider(TICKET_VERIFIER)
      .useValue(makeVerifier({ clock })),
  );
  t.after(() => role.stop());
  const { application: app } = role;
  return {
    url: role.addressOf('remote'),
    app,
    sessions: app.get<SessionStore>(SESSION_STORE),
    grants: app.get<GrantStore>(GRANT_STORE),
  };
}
