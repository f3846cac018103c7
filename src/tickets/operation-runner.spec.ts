import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test, type TestContext } from 'node:test';
import pino from 'pino';
import { listenerLimits } from '../../test/support/listener-limits.js';
import { ticketDefinition } from '../../test/support/tickets.js';
import { parseAddress } from '../../test/support/address.js';
import { within } from '../../test/support/deadline.js';
import { RawSocket } from '../../test/support/raw-socket.js';
import { FakeClock, makeTicket, makeVerifier } from '../../test/support/signed-tickets.js';
import { systemClock } from '../base/clock.js';
import { ClientGoneError, NotAllowedError, StorageError, UnavailableError } from '../base/errors.js';
import { Exchange, type LogFields } from '../wire/exchange.js';
import type { Lease, ProgressListener } from '../base/lease.js';
import { HttpListener } from '../wire/http-listener.js';
import { MemorySessionStore } from '../sessions/stores/memory-session.store.js';
import { MemoryTicketStore } from './memory-ticket.store.js';
import { OperationRunner, type RunningOperation } from './operation-runner.js';
import type { ObservedTransfer, TransferObserver } from './transfer-observer.js';

/** Something that permits operations, and can be withdrawn while they run. */
interface PermitUnderTest {
  begin(exchange: Exchange, onProgress: ProgressListener): Lease;
  cancel(): Promise<unknown>;
  expire(): Promise<unknown>;
  /** Whether anything runs. */
  isInUse(): Promise<boolean>;
}

async function ticketPermit(): Promise<PermitUnderTest> {
  const store = new MemoryTicketStore(
    { removeTimeoutSeconds: 60, ticketsMax: 1, rangesMax: 16 },
    systemClock,
  );
  await store.add(ticketDefinition());
  const permit = await store.authorize('id-1', 'read');
  return {
    begin: (exchange, onProgress) => permit.begin('read', exchange, { onProgress }),
    cancel: () => store.remove('id-1'),
    expire: () => store.extend('id-1', 0),
    isInUse: async () => (await store.info('id-1')).active,
  };
}

async function sessionPermit(t: TestContext): Promise<PermitUnderTest> {
  const clock = new FakeClock();
  const limits = { sessionsMax: 1, sessionsPerTicketMax: 1, sweepIntervalSeconds: 0.05 };
  const store = new MemorySessionStore(limits, clock);
  t.after(() => store.close());
  const session = await store.create(makeVerifier().verify(makeTicket()));
  return {
    begin: (exchange, onProgress) => session.begin(exchange, onProgress),
    cancel: () => store.delete(session.id),
    expire: async () => {
      clock.nowUnixSeconds = session.grant.endsUnixSeconds;
    },
    isInUse: async () => session.runningCount > 0,
  };
}

class RecordingObserver implements TransferObserver {
  readonly events: unknown[] = [];

  begin(kind: string, listener: string): ObservedTransfer {
    const { events } = this;
    events.push(['begin', kind, listener]);
    return {
      located: (backend) => events.push(['located', backend]),
      progressed: (lengthBytes) => events.push(['progressed', lengthBytes]),
      ended: () => events.push(['ended']),
    };
  }
}

type Work = (operation: RunningOperation<Lease>) => Promise<void>;

/** Goes on until it is stopped, and then fails with something else. */
const endless: Work = async ({ lease: { signal } }) => {
  if (!signal.aborted) await once(signal, 'abort');
  throw new Error('It was stopped in the middle');
};

/** A listener that runs `work` for each request. */
class RunnerUnderTest implements AsyncDisposable {
  readonly #observer = new RecordingObserver();
  readonly #runner = new OperationRunner(this.#observer);
  readonly #begun = Promise.withResolvers<Lease>();
  readonly #ended = Promise.withResolvers<unknown>();
  readonly #listener: HttpListener;
  logFields: LogFields = {};

  constructor(permit: Pick<PermitUnderTest, 'begin'>, work: Work) {
    this.#listener = new HttpListener(
      {
        name: 'remote',
        handler: (request) => {
          const exchange = Exchange.of(request);
          void exchange.do(() => this.#answer(exchange, permit, work));
        },
        allowedMethods: () => ['GET'],
        listen: { kind: 'tcp', host: 'localhost', port: 0 },
        requireHostHeader: true,
        limits: listenerLimits,
      },
      pino({ level: 'silent' }),
    );
  }

  async #answer(exchange: Exchange, permit: Pick<PermitUnderTest, 'begin'>, work: Work): Promise<void> {
    this.logFields = exchange.logFields;
    try {
      await this.#runner.run(
        exchange,
        { kind: 'read', begin: (onProgress) => permit.begin(exchange, onProgress) },
        (operation) => {
          assert.equal(operation.lease.signal, exchange.signal, 'there is one root of abortion');
          this.#begun.resolve(operation.lease);
          return work(operation);
        },
      );
      exchange.send(200);
      this.#ended.resolve(undefined);
    } catch (error: unknown) {
      exchange.fail(error);
      this.#ended.resolve(error);
    }
  }

  get events(): readonly unknown[] {
    return this.#observer.events;
  }

  /** Asks for it. */
  async request(): Promise<RawSocket> {
    await this.#listener.open();
    const socket = await RawSocket.connect(parseAddress(this.#listener.address, ''));
    await socket.sendHead('GET / HTTP/1.1', 'Host: localhost', 'Connection: close');
    return socket;
  }

  begun(): Promise<Lease> {
    return within(this.#begun.promise, 'the operation to run');
  }

  /** What it failed with. */
  ended(): Promise<unknown> {
    return within(this.#ended.promise, 'the operation to end');
  }

  /** What a service does that stops and has waited long enough. */
  stop(): void {
    this.#listener.abort(new UnavailableError('The service is stopping'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
  }
}

const permits = [
  {
    name: 'a ticket',
    make: ticketPermit,
    canceled: /Ticket was canceled$/,
    expired: /Ticket expired$/,
  },
  {
    name: 'a session',
    make: sessionPermit,
    canceled: /the session was deleted$/,
    expired: /the session has expired$/,
  },
] as const;

for (const { name, make, canceled, expired } of permits) {
  describe(`an operation of ${name}`, () => {
    for (const [what, withdraw, words] of [
      ['is cancelled', (permit: PermitUnderTest) => permit.cancel(), canceled],
      ['expires', (permit: PermitUnderTest) => permit.expire(), expired],
    ] as const) {
      test(`is stopped when that ${what}, and the client told why`, async (t) => {
        const permit = await make(t);
        await using runner = new RunnerUnderTest(permit, endless);
        const socket = await runner.request();
        await runner.begun();
        assert.equal(await permit.isInUse(), true);
        await withdraw(permit);
        const error = await runner.ended();
        assert.ok(error instanceof NotAllowedError);
        assert.match(error.message, words);
        assert.match((await socket.readUntilClose()).toString('latin1'), /^HTTP\/1\.1 403 /);
        assert.deepEqual(runner.events, [['begin', 'read', 'remote'], ['ended']]);
      });
    }

    test('is stopped when its client has gone', async (t) => {
      const permit = await make(t);
      await using runner = new RunnerUnderTest(permit, endless);
      const socket = await runner.request();
      await runner.begun();
      socket.reset();
      assert.ok((await runner.ended()) instanceof ClientGoneError);
      assert.equal(await permit.isInUse(), false);
    });

    test('is stopped when the service stops', async (t) => {
      const permit = await make(t);
      await using runner = new RunnerUnderTest(permit, endless);
      const socket = await runner.request();
      await runner.begun();
      runner.stop();
      assert.match((await socket.readUntilClose()).toString('latin1'), /^HTTP\/1\.1 503 /);
      assert.ok((await runner.ended()) instanceof UnavailableError);
      assert.equal(await permit.isInUse(), false);
    });

    test('is stopped for the first reason only', async (t) => {
      const permit = await make(t);
      const gate = Promise.withResolvers<undefined>();
      await using runner = new RunnerUnderTest(permit, async (operation) => {
        await gate.promise;
        await endless(operation);
      });
      await runner.request();
      await runner.begun();
      runner.stop();
      const cancelled = permit.cancel();
      gate.resolve(undefined);
      assert.ok((await runner.ended()) instanceof UnavailableError);
      await cancelled;
    });

    test('fails with what its work fails with, and the permit is free again', async (t) => {
      const permit = await make(t);
      await using runner = new RunnerUnderTest(permit, async () => {
        throw new StorageError('The disk is away');
      });
      const socket = await runner.request();
      assert.match((await socket.readUntilClose()).toString('latin1'), /^HTTP\/1\.1 500 /);
      assert.match(String(await runner.ended()), /The disk is away/);
      assert.equal(await permit.isInUse(), false);
    });

    test('tells the log and who observes what it moved and where', async (t) => {
      const permit = await make(t);
      await using runner = new RunnerUnderTest(permit, async ({ lease, located }) => {
        located('file');
        lease.progressed({ offsetBytes: 0, lengthBytes: 10 });
        lease.progressed({ offsetBytes: 10, lengthBytes: 5 });
      });
      const socket = await runner.request();
      assert.match((await socket.readUntilClose()).toString('latin1'), /^HTTP\/1\.1 200 /);
      assert.equal(await runner.ended(), undefined);
      const { backend_milliseconds: milliseconds, ...fields } = runner.logFields;
      assert.equal(typeof milliseconds, 'number');
      assert.deepEqual(fields, { operation: 'read', backend: 'file', bytes: 15 });
      assert.deepEqual(runner.events, [
        ['begin', 'read', 'remote'],
        ['located', 'file'],
        ['progressed', 10],
        ['progressed', 5],
        ['ended'],
      ]);
    });

    test('is refused when the permit has been withdrawn since it was found', async (t) => {
      const permit = await make(t);
      await permit.cancel();
      await using runner = new RunnerUnderTest(permit, endless);
      const socket = await runner.request();
      assert.match((await socket.readUntilClose()).toString('latin1'), /^HTTP\/1\.1 403 /);
      assert.deepEqual(runner.events, [], 'it has not begun');
    });
  });
}

test('a ticket is not removed before the work that was stopped has ended', async () => {
  const permit = await ticketPermit();
  const gate = Promise.withResolvers<undefined>();
  await using runner = new RunnerUnderTest(permit, () => gate.promise);
  await runner.request();
  const { signal } = await runner.begun();
  let isRemoved = false;
  const removal = permit.cancel().then(() => (isRemoved = true));
  assert.equal(signal.aborted, true);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isRemoved, false);
  gate.resolve(undefined);
  await within(removal, 'the removal');
});
