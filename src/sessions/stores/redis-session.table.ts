import { createHash } from 'node:crypto';
import { ErrorReply } from '@redis/client';
import type { RedisConnection, RedisReplica, RunCommands } from './redis-connection.js';
import type {
  FoundSession,
  SessionKeyPrefixes,
  SessionPlace,
  SessionRecord,
  WriteMode,
  WriteOptions,
} from './redis-scripts.js';
import { RedisSessionUse } from './redis-session.use.js';
import { Session, type SessionEnd } from '../session.js';
import { sessionLimitReached } from './memory-session.table.js';
import type { SessionStoreOptions } from './session.store.js';
import { formatGrant, parseGrant } from './grant-text.js';
import type { Grant } from '../grant.js';
import type { Clock } from '../../base/clock.js';

export interface RedisSessionTableOptions extends SessionStoreOptions {
  /** Names the keys and the channel, e.g. `session`. */
  readonly kind: 'session' | 'grant';
  /** Whether daemons without TLS count: only where TLS is off altogether. */
  readonly allowHttp: boolean;
}

/** Changes when what is stored does: versions that read it differently do not meet. */
const prefix = 'ovirt-imageio:2';
const batchSize = 100;
const idForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Sessions that several proxies share. Redis has the truth, and is asked each time; here is one `Session`
 * for each that this process has had to do with, for the requests that run for it, ended as soon as
 * others tell that it was deleted.
 *
 * No key, channel or message has the id of a session in it, but its SHA-256: they are seen
 * by whoever watches the server.
 */
export class RedisSessionTable implements RedisReplica {
  readonly channel: string;
  /** By `member`. */
  readonly #sessions = new Map<string, Session>();
  readonly #indexKey: string;
  readonly #prefixes: SessionKeyPrefixes;
  readonly #use: RedisSessionUse;
  readonly #timer: NodeJS.Timeout;

  constructor(
    private readonly connection: RedisConnection,
    private readonly options: RedisSessionTableOptions,
    private readonly clock: Clock,
  ) {
    const { kind, sweepIntervalSeconds } = options;
    this.channel = `${prefix}:${kind}:changes`;
    this.#indexKey = `${prefix}:${kind}:index`;
    this.#prefixes = {
      sessionKeyPrefix: `${prefix}:${kind}:id:`,
      siblingsKeyPrefix: `${prefix}:${kind}:transfer:`,
    };
    this.#use = new RedisSessionUse(this.#prefixes, connection.run, clock);
    connection.attach(this);
    this.#timer = setInterval(() => {
      this.sweep();
    }, sweepIntervalSeconds * 1000);
    this.#timer.unref();
  }

  /**
   * Writes a session, new or not.
   * @throws UnavailableError when there are too many, or Redis is away, as every other method does then
   */
  async put(id: string, grant: Grant): Promise<Session> {
    const outcome = await this.#write(this.connection.run, id, grant, 'put');
    if (outcome === 'full') throw sessionLimitReached(this.options.sessionsMax);
    return this.#keep(id, grant);
  }

  /** The live session that the grant's ticket opened, or a new one of that id. @throws like `put` */
  async findOrPut(id: string, grant: Grant): Promise<Session> {
    const found = await this.connection.run((client) =>
      client.findOrWriteSession(this.#placeOf(id, grant), recordOf(id, grant), this.#writeOptions()),
    );
    if (found === undefined) throw sessionLimitReached(this.options.sessionsMax);
    if (this.#isSessionOf(found, grant)) return this.#keep(found.id, grant);
    await this.#discard(this.connection.run, found.member);
    return this.put(id, grant);
  }

  /**
   * Whether what the script found or wrote is the session of the grant's ticket, and not what somebody else
   * wrote.
   */
  #isSessionOf({ member, id, grant: text }: FoundSession, grant: Grant): boolean {
    const stored = parseGrant(text, this.options);
    return (
      idForm.test(id) &&
      memberOf(id) === member &&
      stored?.fingerprint === grant.fingerprint &&
      stored.transferTicketId === grant.transferTicketId
    );
  }

  /** Gives a live session of the grant's transfer ticket that grant; undefined when there is none. */
  async renew(id: string, grant: Grant): Promise<Session | undefined> {
    const outcome = await this.#write(this.connection.run, id, grant, 'renew');
    return outcome === 'written' ? this.#keep(id, grant) : undefined;
  }

  async find(id: string): Promise<Session | undefined> {
    const member = memberOf(id);
    const grant = await this.#read(this.connection.run, member);
    if (grant !== undefined) return this.#keep(id, grant);
    this.#drop(member);
    return undefined;
  }

  async delete(id: string): Promise<boolean> {
    const member = memberOf(id);
    const wasLive = await this.#remove(this.connection.run, member);
    this.#drop(member);
    return wasLive;
  }

  /** How many there are, of all proxies. */
  async count(): Promise<number> {
    return this.connection.run((client) => client.countSessions(this.#indexKey, this.clock.unixSeconds()));
  }

  /** Ends those of this process whose time is over. The timer calls it; in Redis their keys expire. */
  sweep(): void {
    const nowUnixSeconds = this.clock.unixSeconds();
    for (const [member, session] of this.#sessions) {
      if (session.isOver(nowUnixSeconds)) this.#end(member, session, 'expired');
    }
  }

  /**
   * Ends what runs in this process; the sessions stay for the other proxies. The connection is not closed.
   */
  close(): void {
    clearInterval(this.#timer);
    this.#use.close();
    for (const [member, session] of this.#sessions) this.#end(member, session, 'closed');
  }

  changed(member: string): void {
    // Should the server be away now, `synchronize` does it when it is back.
    this.#refresh(this.connection.run, member).catch(() => undefined);
  }

  /**
   * After a server has restarted, perhaps empty, this process gives back the sessions that it knows, so
   * that clients can go on. Of a server that was only out of reach, what is missing was deleted.
   */
  async synchronize(run: RunCommands, serverRestarted: boolean): Promise<void> {
    this.sweep();
    const sessions = [...this.#sessions];
    for (let start = 0; start < sessions.length; start += batchSize) {
      const batch = sessions.slice(start, start + batchSize);
      await Promise.all(
        batch.map(async ([member, session]) => {
          if (serverRestarted) await this.#write(run, session.id, session.grant, 'restore');
          await this.#refresh(run, member);
        }),
      );
    }
  }

  async #refresh(run: RunCommands, member: string): Promise<void> {
    if (!this.#sessions.has(member)) return;
    const grant = await this.#read(run, member);
    const session = this.#sessions.get(member);
    if (grant !== undefined && session?.isFor(grant)) session.renew(grant);
    else this.#drop(member);
  }

  async #write(run: RunCommands, id: string, grant: Grant, mode: WriteMode) {
    const place = this.#placeOf(id, grant);
    return run((client) =>
      client.writeSession(place, recordOf(id, grant), { ...this.#writeOptions(), mode }),
    );
  }

  #writeOptions(): WriteOptions {
    const { sessionsMax, sessionsPerTicketMax } = this.options;
    const { sessionKeyPrefix } = this.#prefixes;
    return { sessionsMax, sessionsPerTicketMax, sessionKeyPrefix, nowUnixSeconds: this.clock.unixSeconds() };
  }

  /** The grant of a live session. */
  async #read(run: RunCommands, member: string): Promise<Grant | undefined> {
    const text = await run((client) => hashText(client.hGet(this.#sessionKey(member), 'grant')));
    if (text === null) return undefined;
    const grant = parseGrant(text, this.options);
    // A stored grant is under the id of its transfer ticket, a session under one that tells nothing.
    if (!grant || (this.options.kind === 'grant' && memberOf(grant.transferTicketId) !== member)) {
      await this.#discard(run, member);
      return undefined;
    }
    return grant.endsUnixSeconds > this.clock.unixSeconds() ? grant : undefined;
  }

  /** Removes what no proxy has written, and what runs for it on any of them. */
  async #discard(run: RunCommands, member: string): Promise<void> {
    this.connection.reportForeign(`${this.options.kind}s`);
    await this.#remove(run, member);
    this.#drop(member);
  }

  async #remove(run: RunCommands, member: string): Promise<boolean> {
    const place = {
      sessionKey: this.#sessionKey(member),
      indexKey: this.#indexKey,
      member,
      channel: this.channel,
    };
    return run((client) => client.deleteSession(place, this.clock.unixSeconds(), this.#prefixes));
  }

  #keep(id: string, grant: Grant): Session {
    const member = memberOf(id);
    const known = this.#sessions.get(member);
    if (known?.isFor(grant)) {
      known.renew(grant);
      return known;
    }
    // No proxy gives a session to another transfer ticket: somebody else wrote to the server.
    if (known !== undefined) this.#end(member, known, 'deleted');
    const session = new Session(id, grant, (inUse) => {
      this.#use.changed(member, inUse);
    });
    this.#sessions.set(member, session);
    return session;
  }

  /** It is not in Redis any more. */
  #drop(member: string): void {
    const session = this.#sessions.get(member);
    if (session === undefined) return;
    this.#end(member, session, session.isOver(this.clock.unixSeconds()) ? 'expired' : 'deleted');
  }

  #end(member: string, session: Session, end: SessionEnd): void {
    this.#sessions.delete(member);
    session.end(end);
    this.#use.forget(member);
  }

  #sessionKey(member: string): string {
    return this.#prefixes.sessionKeyPrefix + member;
  }

  #placeOf(id: string, { fingerprint, transferTicketId }: Grant): SessionPlace {
    const member = memberOf(id);
    return {
      sessionKey: this.#sessionKey(member),
      indexKey: this.#indexKey,
      ticketKey: `${prefix}:${this.options.kind}:ticket:${fingerprint}`,
      siblingsKey: this.#prefixes.siblingsKeyPrefix + sha256(transferTicketId),
      member,
      channel: this.channel,
    };
  }
}

/** @returns an empty text, which is no grant, where there is no hash */
async function hashText(reply: Promise<string | null>): Promise<string | null> {
  try {
    return await reply;
  } catch (error: unknown) {
    if (error instanceof ErrorReply && error.message.startsWith('WRONGTYPE')) return '';
    throw error;
  }
}

function memberOf(id: string): string {
  return sha256(id);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function recordOf(id: string, grant: Grant): SessionRecord {
  return {
    id,
    grant: formatGrant(grant),
    fingerprint: grant.fingerprint,
    transfer: sha256(grant.transferTicketId),
    ends: grant.endsUnixSeconds,
  };
}
