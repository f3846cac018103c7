import { createClient, ErrorReply } from '@redis/client';
import { forwardSecrecy } from '../../base/forward-secrecy.js';
import { redisScripts } from './redis-scripts.js';
import { describeError, type Logger } from '../../log/logger.js';
import { UnavailableError } from '../../base/errors.js';
import { settledWithin } from '../../base/settled-within.js';

export interface RedisConnectionOptions {
  /** `redis://` or `rediss://`, with user, password and the number of a database as it has them. A secret. */
  readonly url: string;
  /** PEM certificates that the server's is verified with, its name included, when it is `rediss://`. */
  readonly authoritiesPem: readonly string[];
  /** How long a command may take before its request is answered with 503. */
  readonly commandTimeoutSeconds: number;
}

export type RedisCommands = ReturnType<typeof makeClient>;

/** Runs commands. @throws UnavailableError when they are not answered in time, or with an error */
export type RunCommands = <T>(work: (client: RedisCommands) => Promise<T>) => Promise<T>;

/** What a process keeps of the things that are in Redis, and has to hear when others change them. */
export interface RedisReplica {
  readonly channel: string;
  /**
   * Somebody, perhaps this process, published `message`. Replies that were on the way
   * before it have been handled.
   */
  changed(message: string): void;
  /**
   * Called before the server is used for the first time, and again each time that
   * messages may have been missed.
   * @param serverRestarted it is another process than before and may have lost what it had
   */
  synchronize(run: RunCommands, serverRestarted: boolean): Promise<void>;
}

const reconnectMillisecondsMax = 1000;
const pingMilliseconds = 1000;
/** Longer than a ping and its answer take, so only a connection that is dead is closed. */
const silenceMilliseconds = 3000;
/** More is not sent at once: beyond it commands fail, as they do when the server is away. */
const commandsMax = 10_000;

/**
 * The one connection of this process to a Redis server (version 6 or later, for the protocol that
 * has commands and subscriptions on one connection). It comes back by itself; until then requests
 * that need it are refused at once.
 */
export class RedisConnection {
  readonly #client: RedisCommands;
  readonly #replicas: RedisReplica[] = [];
  readonly #firstOutcome = Promise.withResolvers<undefined>();
  #available = false;
  #awayReported = false;
  #closed = false;
  #subscribed = false;
  #synchronizing = false;
  #serverId: string | undefined;
  readonly #foreignReported = new Set<string>();

  constructor(
    private readonly options: RedisConnectionOptions,
    private readonly logger: Logger,
  ) {
    this.#client = makeClient(options);
    this.#client.on('ready', () => void this.#synchronize());
    // A ping was answered: the server lives, also when it had stalled or was still loading its data.
    this.#client.on('ping-interval', () => {
      if (!this.#available) void this.#synchronize();
    });
    this.#client.on('error', (error: unknown) => {
      this.#goAway(error);
    });
  }

  /** Commands are being answered. */
  get isAvailable(): boolean {
    return this.#available;
  }

  /** Before `open`. */
  attach(replica: RedisReplica): void {
    this.#replicas.push(replica);
  }

  /**
   * Starts to connect. Resolves when the server is there or its first refusal, or after the time of one
   * command: a proxy starts without it, as it goes on without it.
   */
  async open(): Promise<void> {
    // Rejects only when it is closed meanwhile; failures to connect are events.
    this.#client.connect().catch(() => undefined);
    try {
      await this.#inTime(this.#firstOutcome.promise);
    } catch (error: unknown) {
      this.#goAway(error);
    }
  }

  /**
   * @throws UnavailableError at once while the server is away, and within the time of a
   *   command when it goes away
   */
  readonly run: RunCommands = async (work) => {
    if (!this.#available) throw this.#unavailable(undefined);
    return this.#attempt(work);
  };

  /**
   * Says once that there is what no proxy has written, whatever it was: who writes to the server must not
   * fill the log too.
   * @param what in the plural, without a secret
   */
  reportForeign(what: string): void {
    if (this.#foreignReported.has(what)) return;
    this.#foreignReported.add(what);
    this.logger.warn(
      `The session store had ${what} that no proxy has written, which do not count and were removed: ` +
        'see who else can write to it',
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#available = false;
    this.#client.destroy();
  }

  readonly #attempt: RunCommands = async (work) => {
    try {
      return await this.#inTime(work(this.#client));
    } catch (error: unknown) {
      if (error instanceof SlowAnswerError) this.#goAway(error);
      throw this.#unavailable(withoutArguments(error));
    }
  };

  async #inTime<T>(work: Promise<T>): Promise<T> {
    const { commandTimeoutSeconds } = this.options;
    return await settledWithin(work, commandTimeoutSeconds, () => {
      throw new SlowAnswerError(`no answer within ${commandTimeoutSeconds} s`);
    });
  }

  /** Brings every replica up to date; only then commands of requests are run again. */
  async #synchronize(): Promise<void> {
    if (this.#synchronizing) return;
    this.#synchronizing = true;
    try {
      if (!this.#subscribed) await this.#subscribe();
      const info = await this.#attempt((client) => client.info('server'));
      const serverId = /^run_id:(\w+)/m.exec(info)?.[1];
      const serverRestarted = this.#serverId !== undefined && this.#serverId !== serverId;
      for (const replica of this.#replicas) await replica.synchronize(this.#attempt, serverRestarted);
      this.#serverId = serverId;
      this.#comeBack();
    } catch (error: unknown) {
      this.#goAway(error);
    } finally {
      this.#synchronizing = false;
    }
  }

  /** Once: after a reconnection the client subscribes again by itself, before it is ready. */
  async #subscribe(): Promise<void> {
    for (const replica of this.#replicas) {
      const listener = (message: string): void => {
        // A reply that came with the message is handled in microtasks, which are all over by then.
        setImmediate(() => {
          replica.changed(message);
        });
      };
      await this.#attempt((client) => client.subscribe(replica.channel, listener));
    }
    this.#subscribed = true;
  }

  #comeBack(): void {
    // It may have gone while the last reply was on its way.
    if (this.#closed || !this.#client.isReady) return;
    this.#available = true;
    this.#awayReported = false;
    this.#firstOutcome.resolve(undefined);
    this.logger.info('The session store is available');
  }

  #goAway(reason: unknown): void {
    this.#available = false;
    if (this.#awayReported || this.#closed) return;
    this.#awayReported = true;
    this.#firstOutcome.resolve(undefined);
    this.logger.warn(
      { error: describeError(withoutArguments(reason)) },
      'The session store is away: requests that need it get 503 until it is back',
    );
  }

  #unavailable(cause: unknown): UnavailableError {
    if (cause instanceof UnavailableError) return cause;
    return new UnavailableError(
      'Sessions are not available at the moment',
      cause === undefined ? undefined : { cause },
    );
  }
}

class SlowAnswerError extends Error {
  override readonly name = 'SlowAnswerError';
}

function makeClient({ url, authoritiesPem, commandTimeoutSeconds }: RedisConnectionOptions) {
  const socket = {
    connectTimeout: commandTimeoutSeconds * 1000,
    socketTimeout: silenceMilliseconds,
    reconnectStrategy: (retries: number) =>
      Math.min(50 * 2 ** retries, reconnectMillisecondsMax) * (0.5 + Math.random() / 2),
  };
  return createClient({
    url,
    name: 'ovirt-imageio',
    socket: url.startsWith('rediss:')
      ? { ...socket, tls: true as const, ca: [...authoritiesPem], ...forwardSecrecy('TLSv1.2') }
      : socket,
    scripts: redisScripts,
    disableOfflineQueue: true,
    commandsQueueMaxLength: commandsMax,
    commandOptions: { timeout: commandTimeoutSeconds * 1000 },
    pingInterval: pingMilliseconds,
    maintNotifications: 'disabled',
    disableClientInfo: true,
  });
}

/** A server that does not know a command repeats its arguments, among them the password of the connection. */
function withoutArguments(error: unknown): unknown {
  if (!(error instanceof ErrorReply)) return error;
  return new Error(error.message.replace(/,? with args.*/s, ''));
}
