import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { type ArgumentsHost, Catch, type ExceptionFilter, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply } from 'fastify';
import { FakeClock, makeVerifier } from './signed-ticket.fixtures.js';
import { ServiceError } from '../../src/errors.js';
import { FailedAuthentications } from '../../src/sessions/failed-authentications.js';
import { MemoryGrantStore } from '../../src/sessions/memory-grant.store.js';
import { MemorySessionStore } from '../../src/sessions/memory-session.store.js';
import { SessionsModule } from '../../src/sessions/sessions.module.js';

export interface SessionsApp {
  /** Without a slash at its end. */
  readonly url: string;
  readonly app: NestFastifyApplication;
  readonly sessions: MemorySessionStore;
  readonly grants: MemoryGrantStore;
}

const statusByCode: Readonly<Record<string, number>> = {
  invalid_request: 400,
  unauthenticated: 401,
  not_allowed: 403,
  not_found: 404,
  unavailable: 503,
  too_many_failures: 503,
};

@Catch(ServiceError)
class ServiceErrorFilter implements ExceptionFilter<ServiceError> {
  catch(error: ServiceError, host: ArgumentsHost): void {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    void reply.code(statusByCode[error.code] ?? 500).send(`${error.message}\n`);
  }
}

/** The sessions module in an application of its own on a free port of loopback; it ends with the test. */
export async function startSessionsApp(
  t: TestContext,
  { sessionsMax = 100, failuresMax = 100 } = {},
): Promise<SessionsApp> {
  const clock = new FakeClock();
  const options = { sessionsMax, sessionsPerTicketMax: 8, sweepIntervalSeconds: 1 };
  const sessions = new MemorySessionStore(options, clock);
  const grants = new MemoryGrantStore(options, clock);
  const adapter = new FastifyAdapter({ routerOptions: { ignoreTrailingSlash: true } });
  const server = adapter.getInstance();
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, body);
  });
  const app = await NestFactory.create<NestFastifyApplication>(
    SessionsModule.register({
      sessionStore: sessions,
      grantStore: grants,
      ticketVerifier: makeVerifier({ clock }),
      failedAuthentications: new FailedAuthentications(
        { failuresMax, failuresPerSecond: 1, addressesMax: 10 },
        clock,
      ),
    }),
    adapter,

    { bodyParser: false, logger: false, abortOnError: false },
  );
  t.after(async () => {
    await app.close();
    await sessions.close();
    await grants.close();
  });
  app.useGlobalFilters(new ServiceErrorFilter());
  app.useGlobalPipes(new ValidationPipe({ transform: true, whitelist: true }));
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, app, sessions, grants };
}
