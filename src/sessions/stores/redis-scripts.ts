import { type CommandParser, defineScript } from '@redis/client';

/** Where a session is, in Redis. */
export interface SessionPlace {
  /** Hash of the session, with the fields of a `SessionRecord`, and `usedUntil` once requests ran for it. */
  readonly sessionKey: string;
  /** Sorted set of all sessions by the time they end: how many there are. */
  readonly indexKey: string;
  /** Which session the signed ticket opened. */
  readonly ticketKey: string;
  /** Sorted set of the sessions of one transfer ticket, in the order in which they were opened. */
  readonly siblingsKey: string;
  /** What the session is called in the sorted sets, at `ticketKey` and in messages. */
  readonly member: string;
  /** Where changes are told. */
  readonly channel: string;
}

/**
 * What the keys of sessions begin with, for scripts that come upon other sessions than the one they are
 * about.
 */
export interface SessionKeyPrefixes {
  /** The member follows. */
  readonly sessionKeyPrefix: string;
  /** The record's `transfer` follows. */
  readonly siblingsKeyPrefix: string;
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
 * restore: only if no later one is, and past the limits.
 */
export type WriteMode = 'put' | 'renew' | 'restore';

export interface WriteOptions {
  readonly sessionsMax: number;
  /** A further session of the same transfer ticket ends another one. */
  readonly sessionsPerTicketMax: number;
  readonly sessionKeyPrefix: string;
  /** The time, by the clock that judges grants: Redis's own is never asked. */
  readonly nowUnixSeconds: number;
}

export type WriteOutcome = 'written' | 'kept' | 'absent' | 'full';

/** As it is in Redis, where others may have written. */
export interface FoundSession {
  readonly member: string;
  readonly id: string;
  readonly grant: string;
}

const functions = `
-- What is no hash, or has no such field, has no text: others may have written to this server.
local function textOf(session, field)
  local text = redis.pcall('HGET', session, field)
  return type(text) == 'string' and text or ''
end
local function timeOf(session, field)
  return tonumber(textOf(session, field)) or 0
end
local function isLive(session, now)
  return timeOf(session, 'ends') > now
end
local function count(index, now)
  redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
  return redis.call('ZCARD', index)
end
local function remove(session, index, siblings, member, channel)
  redis.call('DEL', session)
  redis.call('ZREM', index, member)
  redis.call('ZREM', siblings, member)
  redis.call('PUBLISH', channel, member)
end
local function keepFor(key, lifetime)
  if redis.call('PTTL', key) < lifetime then redis.call('PEXPIRE', key, lifetime) end
end
`;

const writing = `${functions}
local session, index, ticket, siblings = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local limit, siblingsLimit, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local sessionPrefix, member, channel = ARGV[4], ARGV[5], ARGV[6]
local record = { id = ARGV[7], grant = ARGV[8], fingerprint = ARGV[9], transfer = ARGV[10], ends = ARGV[11] }
local function write()
  local lifetime = math.max(1, math.ceil((tonumber(record.ends) - now) * 1000))
  if not isLive(session, now) then redis.call('DEL', session) end
  redis.call('HSET', session, 'id', record.id, 'grant', record.grant, 'fingerprint', record.fingerprint,
    'transfer', record.transfer, 'ends', record.ends)
  redis.call('PEXPIRE', session, lifetime)
  redis.call('SET', ticket, member, 'PX', lifetime)
  redis.call('ZADD', index, record.ends, member)
  keepFor(index, lifetime)
  local last = redis.call('ZRANGE', siblings, -1, -1, 'WITHSCORES')
  redis.call('ZADD', siblings, 'NX', (tonumber(last[2]) or 0) + 1, member)
  keepFor(siblings, lifetime)
end
-- Ends sessions of the ticket until there is room for one more, in the order in which they were opened, but
-- those that requests run for last. False, and nothing is ended, when there are too many of all tickets.
local function makeRoom()
  local idle, used = {}, {}
  for _, sibling in ipairs(redis.call('ZRANGE', siblings, 0, -1)) do
    local key = sessionPrefix .. sibling
    if not isLive(key, now) then redis.call('ZREM', siblings, sibling)
    elseif timeOf(key, 'usedUntil') > now then table.insert(used, sibling)
    else table.insert(idle, sibling) end
  end
  local surplus = math.max(0, #idle + #used + 1 - siblingsLimit)
  if count(index, now) - surplus >= limit then return false end
  for i = 1, surplus do
    local leaving = idle[i] or used[i - #idle]
    remove(sessionPrefix .. leaving, index, siblings, leaving, channel)
  end
  return true
end
`;

const writeScript = `${writing}
local mode = ARGV[12]
if isLive(session, now) then
  if mode == 'renew' and textOf(session, 'transfer') ~= record.transfer then return 'absent' end
  if mode == 'restore' and timeOf(session, 'ends') >= tonumber(record.ends) then return 'kept' end
  write()
  redis.call('PUBLISH', channel, member)
  return 'written'
end
if mode == 'renew' then return 'absent' end
if mode == 'put' and not makeRoom() then return 'full' end
write()
return 'written'
`;

const findOrWriteScript = `${writing}
local known = redis.pcall('GET', ticket)
if type(known) == 'string' then
  local found = sessionPrefix .. known
  if isLive(found, now) and textOf(found, 'fingerprint') == record.fingerprint then
    return { known, textOf(found, 'id'), textOf(found, 'grant') }
  end
end
if not makeRoom() then return {} end
write()
return { member, record.id, record.grant }
`;

const useScript = `${functions}
local now, usedUntil, sessionPrefix = tonumber(ARGV[1]), ARGV[2], ARGV[3]
for i = 4, #ARGV do
  local session = sessionPrefix .. ARGV[i]
  if isLive(session, now) then redis.call('HSET', session, 'usedUntil', usedUntil) end
end
`;

const deleteScript = `${functions}
local session, index = KEYS[1], KEYS[2]
local now, member, channel, siblingsPrefix = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local wasLive = isLive(session, now)
remove(session, index, siblingsPrefix .. textOf(session, 'transfer'), member, channel)
return wasLive and 1 or 0
`;

const countScript = `${functions}
return count(KEYS[1], tonumber(ARGV[1]))
`;

/**
 * What is done to sessions in Redis, each in one step that no other proxy can come between. They touch keys
 * that only they know the names of, which a single server allows and a cluster does not.
 */
export const redisScripts = {
  writeSession: defineScript({
    NUMBER_OF_KEYS: 4,
    SCRIPT: writeScript,
    parseCommand(
      parser: CommandParser,
      place: SessionPlace,
      record: SessionRecord,
      options: WriteOptions & { readonly mode: WriteMode },
    ) {
      pushWriting(parser, place, record, options);
      parser.push(options.mode);
    },
    transformReply: (reply: string): WriteOutcome => reply as WriteOutcome,
  }),

  /**
   * The live session that the ticket of `record` opened, else writes `record`;
   * undefined when there are too many.
   */
  findOrWriteSession: defineScript({
    NUMBER_OF_KEYS: 4,
    SCRIPT: findOrWriteScript,
    parseCommand: pushWriting,
    transformReply([member, id = '', grant = '']: string[]): FoundSession | undefined {
      return member === undefined ? undefined : { member, id, grant };
    },
  }),

  /** Notes for how long requests run for sessions, at least. */
  useSessions: defineScript({
    NUMBER_OF_KEYS: 0,
    SCRIPT: useScript,
    parseCommand(
      parser: CommandParser,
      members: readonly string[],
      times: { readonly nowUnixSeconds: number; readonly usedUntilUnixSeconds: number },
      { sessionKeyPrefix }: Pick<SessionKeyPrefixes, 'sessionKeyPrefix'>,
    ) {
      parser.push(String(times.nowUnixSeconds), String(times.usedUntilUnixSeconds), sessionKeyPrefix);
      parser.push(...members);
    },
    transformReply: (): void => undefined,
  }),

  /** Whether there was a live one. */
  deleteSession: defineScript({
    NUMBER_OF_KEYS: 2,
    SCRIPT: deleteScript,
    parseCommand(
      parser: CommandParser,
      place: Pick<SessionPlace, 'sessionKey' | 'indexKey' | 'member' | 'channel'>,
      nowUnixSeconds: number,
      { siblingsKeyPrefix }: Pick<SessionKeyPrefixes, 'siblingsKeyPrefix'>,
    ) {
      parser.pushKey(place.sessionKey);
      parser.pushKey(place.indexKey);
      parser.push(String(nowUnixSeconds), place.member, place.channel, siblingsKeyPrefix);
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

/** What scripts that begin with `writing` take. */
function pushWriting(
  parser: CommandParser,
  place: SessionPlace,
  record: SessionRecord,
  options: WriteOptions,
): void {
  for (const key of [place.sessionKey, place.indexKey, place.ticketKey, place.siblingsKey]) {
    parser.pushKey(key);
  }
  const { sessionsMax, sessionsPerTicketMax, nowUnixSeconds, sessionKeyPrefix } = options;
  parser.push(String(sessionsMax), String(sessionsPerTicketMax), String(nowUnixSeconds));
  parser.push(sessionKeyPrefix, place.member, place.channel);
  const { id, grant, fingerprint, transfer, ends } = record;
  parser.push(id, grant, fingerprint, transfer, String(ends));
}
