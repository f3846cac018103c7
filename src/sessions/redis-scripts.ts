import { type CommandParser, defineScript } from '@redis/client';

/** Where a session is, in Redis. */
export interface SessionPlace {
  /** Hash of the session, with the fields of a `SessionRecord`. */
  readonly sessionKey: string;
  /** Sorted set of all sessions by the time they end: how many there are. */
  readonly indexKey: string;
  /** Which session the signed ticket opened. */
  readonly ticketKey: string;
  /** What the session is called in the index, at `ticketKey` and in messages. */
  readonly member: string;
  /** Where changes are told. */
  readonly channel: string;
}

export interface SessionRecord {
  readonly id: string;
  /** JSON. */
  readonly grant: string;
  readonly fingerprint: string;
  /** SHA-256 of the transfer ticket's id, in hex. */
  readonly transfer: string;
  /** Unix seconds. */
  readonly ends: number;
}

/**
 * put: written, whether it is there or not; renew: only if it is there, for the same transfer ticket;
 * restore: only if no later one is, and past the limit.
 */
export type WriteMode = 'put' | 'renew' | 'restore';

export interface WriteOptions {
  readonly mode: WriteMode;
  readonly sessionsMax: number;
  /** The time, by the clock that judges grants: Redis's own is never asked. */
  readonly nowUnixSeconds: number;
}

export type WriteOutcome = 'written' | 'kept' | 'absent' | 'full';

export interface FoundSession {
  readonly id: string;
  readonly grant: string;
}

const functions = `
local function isLive(session, now)
  local ends = redis.call('HGET', session, 'ends')
  return ends and tonumber(ends) > now
end
local function write(session, index, ticket, member, record, now)
  local lifetime = math.max(1, math.ceil((tonumber(record.ends) - now) * 1000))
  redis.call('HSET', session, 'id', record.id, 'grant', record.grant, 'fingerprint', record.fingerprint,
    'transfer', record.transfer, 'ends', record.ends)
  redis.call('PEXPIRE', session, lifetime)
  redis.call('SET', ticket, member, 'PX', lifetime)
  redis.call('ZADD', index, record.ends, member)
  if redis.call('PTTL', index) < lifetime then redis.call('PEXPIRE', index, lifetime) end
end
local function count(index, now)
  redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
  return redis.call('ZCARD', index)
end
`;

const writeScript = `${functions}
local session, index, ticket = KEYS[1], KEYS[2], KEYS[3]
local mode, limit, now, member, channel = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
local record = { id = ARGV[6], grant = ARGV[7], fingerprint = ARGV[8], transfer = ARGV[9], ends = ARGV[10] }
if isLive(session, now) then
  if mode == 'renew' and redis.call('HGET', session, 'transfer') ~= record.transfer then return 'absent' end
  if mode == 'restore' and tonumber(redis.call('HGET', session, 'ends')) >= tonumber(record.ends) then return 'kept' end
  write(session, index, ticket, member, record, now)
  redis.call('PUBLISH', channel, member)
  return 'written'
end
if mode == 'renew' then return 'absent' end
if mode == 'put' and count(index, now) >= limit then return 'full' end
write(session, index, ticket, member, record, now)
return 'written'
`;

const findOrWriteScript = `${functions}
local session, index, ticket = KEYS[1], KEYS[2], KEYS[3]
local limit, now, member, sessionPrefix = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
local record = { id = ARGV[5], grant = ARGV[6], fingerprint = ARGV[7], transfer = ARGV[8], ends = ARGV[9] }
local known = redis.call('GET', ticket)
if known then
  local found = sessionPrefix .. known
  if isLive(found, now) and redis.call('HGET', found, 'fingerprint') == record.fingerprint then
    return redis.call('HMGET', found, 'id', 'grant')
  end
end
if count(index, now) >= limit then return {} end
write(session, index, ticket, member, record, now)
return { record.id, record.grant }
`;

const deleteScript = `${functions}
local session, index = KEYS[1], KEYS[2]
local now, member, channel = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local wasLive = isLive(session, now)
redis.call('DEL', session)
redis.call('ZREM', index, member)
redis.call('PUBLISH', channel, member)
return wasLive and 1 or 0
`;

const countScript = `${functions}
return count(KEYS[1], tonumber(ARGV[1]))
`;

/**
 * What is done to sessions in Redis, each in one step that no other proxy can come between. They touch keys that only they
 * know the names of, which a single server allows and a cluster does not.
 */
export const redisScripts = {
  writeSession: defineScript({
    NUMBER_OF_KEYS: 3,
    SCRIPT: writeScript,
    parseCommand(parser: CommandParser, place: SessionPlace, record: SessionRecord, options: WriteOptions) {
      pushKeys(parser, place);
      const { mode, sessionsMax, nowUnixSeconds } = options;
      parser.push(mode, String(sessionsMax), String(nowUnixSeconds), place.member, place.channel);
      pushRecord(parser, record);
    },
    transformReply: (reply: string): WriteOutcome => reply as WriteOutcome,
  }),

  /** The live session that the ticket of `record` opened, else writes `record`; undefined when there are too many. */
  findOrWriteSession: defineScript({
    NUMBER_OF_KEYS: 3,
    SCRIPT: findOrWriteScript,
    parseCommand(
      parser: CommandParser,
      place: SessionPlace,
      record: SessionRecord,
      options: Omit<WriteOptions, 'mode'> & { readonly sessionKeyPrefix: string },
    ) {
      pushKeys(parser, place);
      const { sessionsMax, nowUnixSeconds, sessionKeyPrefix } = options;
      parser.push(String(sessionsMax), String(nowUnixSeconds), place.member, sessionKeyPrefix);
      pushRecord(parser, record);
    },
    transformReply([id, grant]: string[]): FoundSession | undefined {
      return id === undefined || grant === undefined ? undefined : { id, grant };
    },
  }),

  /** Whether there was a live one. */
  deleteSession: defineScript({
    NUMBER_OF_KEYS: 2,
    SCRIPT: deleteScript,
    parseCommand(parser: CommandParser, place: Omit<SessionPlace, 'ticketKey'>, nowUnixSeconds: number) {
      parser.pushKey(place.sessionKey);
      parser.pushKey(place.indexKey);
      parser.push(String(nowUnixSeconds), place.member, place.channel);
    },
    transformReply: (reply: number): boolean => reply === 1,
  }),

  countSessions: defineScript({
    NUMBER_OF_KEYS: 1,
    SCRIPT: countScript,
    parseCommand(parser: CommandParser, indexKey: string, nowUnixSeconds: number) {
      parser.pushKey(indexKey);
      parser.push(String(nowUnixSeconds));
    },
    transformReply: (reply: number): number => reply,
  }),
};

function pushKeys(parser: CommandParser, { sessionKey, indexKey, ticketKey }: SessionPlace): void {
  parser.pushKey(sessionKey);
  parser.pushKey(indexKey);
  parser.pushKey(ticketKey);
}

function pushRecord(parser: CommandParser, record: SessionRecord): void {
  const { id, grant, fingerprint, transfer, ends } = record;
  parser.push(id, grant, fingerprint, transfer, String(ends));
}
