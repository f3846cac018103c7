import { float, integer, timeoutSecondsMax } from '../option.js';
import { defineSection, type SectionValues } from '../section.js';
import { GiB, KiB, MiB } from '../../base/units.js';

export const limitsSection = defineSection({
  name: 'limits',
  description: 'What one client, one transfer and the whole process may use. The defaults suit common hosts.',
  options: {
    requestHeadBytesMax: bytes('request_head_bytes', 16 * KiB, {
      minimum: 4 * KiB,
      maximum: MiB,
      description:
        'Request line and headers; beyond it 431. Signed tickets travel in a header and need several KiB.',
    }),
    headersTimeoutSeconds: seconds('headers_timeout_sec', 10, {
      minimum: 0.1,
      description:
        'How long a client may take to send the head of a request; then 408. Ends slow-header attacks.',
    }),
    jsonBodyBytesMax: bytes('json_body_bytes', 64 * KiB, {
      minimum: KiB,
      maximum: MiB,
      description:
        'The JSON of a ticket, or a signed ticket to be stored; beyond it 413. Of image operations it is ' +
        '4 KiB.',
    }),
    signedTicketBytesMax: bytes('signed_ticket_bytes', 16 * KiB, {
      minimum: KiB,
      maximum: MiB,
      description:
        'A signed ticket before it is decoded; real ones, certificate included, have less than 8 KiB.',
    }),
    unauthorisedSilenceSeconds: seconds('unauthorised_silence_sec', 60, {
      minimum: 0.1,
      description:
        'How long a connection without an authorised request may be silent. Clients keep idle ones alive ' +
        'every 30 s.',
    }),
    unauthorisedLifeSeconds: seconds('unauthorised_life_sec', 120, {
      minimum: 1,
      description:
        'How long a connection without an authorised request may last, whatever it does. Clients of ' +
        'images authorise at once.',
    }),
    unauthorisedConnectionsPerAddressMax: count('unauthorised_connections_per_address', 1000, {
      minimum: 1,
      maximum: 1_000_000,
      unit: 'connections',
      description:
        'Connections of one client address (IPv6: a /64) without an authorised request, and at most half ' +
        'of connections. With one more the oldest of them is closed. Many clients may share the address ' +
        'of a gateway.',
    }),
    handshakeTimeoutSeconds: seconds('handshake_timeout_sec', 10, {
      minimum: 0.1,
      description: 'How long a client may take from connecting until TLS is spoken; then it is closed.',
    }),
    connectionsMax: count('connections', 10_000, {
      minimum: 16,
      maximum: 1_000_000,
      unit: 'connections',
      description:
        'Open connections of one listener, each a file descriptor and some KiB. With one more the oldest ' +
        'without an authorised request is closed.',
    }),
    pipelinedRequestsMax: count('pipelined_requests', 16, {
      minimum: 0,
      maximum: 1000,
      unit: 'requests',
      description:
        'Requests that may wait on a connection for the one before them, some KiB each; with one more it ' +
        'is closed.',
    }),
    retryAfterSeconds: count('retry_after_sec', 5, {
      minimum: 0,
      maximum: 3600,
      unit: 'seconds',
      description:
        'What a 503 tells clients to wait in Retry-After: about the time in which a transfer makes room, ' +
        'or a service that stops is back. An upload overtaken by newer ones is told one second: nothing ' +
        'has to become free for it.',
    }),
    drainBytesMax: bytes('drain_bytes', MiB, {
      minimum: 0,
      maximum: GiB,
      description:
        'How much of a refused body is read and dropped, so that the client gets to read the refusal.',
    }),
    lingerSeconds: seconds('linger_sec', 2, {
      minimum: 0,
      description:
        'How long a refused connection stays open after drain_bytes: closing at once loses the answer at ' +
        'loopback speed.',
    }),
    graceSeconds: seconds('grace_sec', 10, {
      minimum: 0,
      description:
        'How long running operations may go on after SIGTERM; less than the stop timeout of systemd or a ' +
        'pod.',
    }),
    bufferBytes: bytes('buffer_bytes', MiB, {
      minimum: 64 * KiB,
      maximum: 16 * MiB,
      multipleOf: 4 * KiB,
      description: 'One buffer between network and storage: large enough that each I/O is efficient.',
    }),
    buffersPerTransfer: count('buffers_per_transfer', 3, {
      minimum: 2,
      maximum: 4,
      unit: 'buffers',
      description:
        'Buffers of one transfer: one fills while another drains, and one more evens out their speeds. ' +
        'Beside several others a transfer takes two.',
    }),
    bufferPoolBytes: bytes('buffer_pool_bytes', 192 * MiB, {
      minimum: MiB,
      maximum: 64 * GiB,
      description:
        'All buffers together, of which one image gets at most half; transfers beyond it wait or get 503.',
    }),
    bufferWaitSeconds: seconds('buffer_wait_sec', 10, {
      minimum: 0.1,
      description:
        'How long a request waits for its first buffer; then 503. Clients give up after some 30 s.',
    }),
    bufferStallSeconds: seconds('buffer_stall_sec', 5, {
      minimum: 0.1,
      description:
        'How long a client that reads nothing keeps a buffer which others wait for; then it is cut off.',
    }),
    digestRangeBytes: bytes('digest_range_bytes', 8 * MiB, {
      minimum: 0,
      maximum: GiB,
      description:
        'The longest answer that tells its digest ahead of it (Want-Content-Digest), all of which is in ' +
        'memory for that; longer ones tell none. 0: none does.',
    }),
    digestPoolBytes: bytes('digest_pool_bytes', 64 * MiB, {
      minimum: MiB,
      maximum: 64 * GiB,
      description:
        'All answers together that tell their digest and are longer than buffer_bytes; seven eighths of ' +
        'it, in pieces of digest_range_bytes. One image gets at most half; others wait or get 503.',
    }),
    relayBufferBytes: bytes('relay_buffer_bytes', 96 * MiB, {
      minimum: MiB,
      maximum: 64 * GiB,
      description:
        'All memory that a proxy moves data, extents and uploads through, in buffers of 1 MiB and 256 KiB; ' +
        'requests beyond it wait or get 503. TLS takes as much again.',
    }),
    relayBufferBytesPerTicket: bytes('relay_buffer_bytes_per_ticket', 32 * MiB, {
      minimum: 512 * KiB,
      maximum: 64 * GiB,
      description:
        'What of relay_buffer_bytes one ticket may take, and never more than it leaves free, so that one ' +
        'cannot keep others from theirs. It suffices for 56 requests at once, 24 of them at full speed.',
    }),
    checksumsMax: count('checksums', 4, {
      minimum: 1,
      maximum: 1024,
      unit: 'checksums',
      description:
        'Checksums computed at once, of one image at most half; others wait. Two threads hash for all.',
    }),
    keptDigestsMax: count('kept_digests', 65_536, {
      minimum: 0,
      maximum: 16_777_216,
      unit: 'digests',
      description:
        'Digests of blocks that are kept, of all tickets, so that these are not read again: some 250 bytes ' +
        'each, and enough for 256 GiB in blocks of 4 MiB. The oldest make room. 0 keeps none.',
    }),
    preflightSeconds: seconds('preflight_sec', 1, {
      minimum: 0.1,
      description:
        'How long a preflight waits for storage before it says that storage does not answer: people wait ' +
        'for it, and storage that works answers in milliseconds.',
    }),
    fileThreads: count('file_threads', 32, {
      minimum: 4,
      maximum: 1024,
      unit: 'threads',
      description: 'Threads for file I/O. With the usual four, four hung files stop every other one.',
    }),
    zeroStepBytes: bytes('zero_step_bytes', 128 * MiB, {
      minimum: MiB,
      maximum: GiB,
      multipleOf: 4 * KiB,
      description: 'The most zeroed in one step; a cancel takes effect between two steps.',
    }),
    ticketsMax: count('tickets', 200_000, {
      minimum: 1,
      maximum: 10_000_000,
      unit: 'tickets',
      description: 'Tickets in the store, each about 1 KiB of memory; beyond it adding one gets 503.',
    }),
    rangesMax: count('ranges_max', 65_536, {
      minimum: 16,
      maximum: 1_000_000,
      unit: 'ranges',
      description:
        'Separate ranges that are remembered of what one ticket has received, 24 bytes each. Past it the ' +
        'smallest are forgotten and have to be sent again if the upload is resumed. An upload of 2 TiB ' +
        'that leaves out every other 16 MiB has as many.',
    }),
    eventStreamsMax: count('event_streams', 1000, {
      minimum: 0,
      maximum: 1_000_000,
      unit: 'streams',
      description:
        'Event streams that are open at once, each a connection and some 70 KiB of memory, of TLS mostly; ' +
        'one more gets 503, and its client polls.',
    }),
    sessionsMax: count('sessions', 100_000, {
      minimum: 1,
      maximum: 10_000_000,
      unit: 'sessions',
      description: 'Sessions in the store of the proxy, about 1 KiB each; beyond it opening one gets 503.',
    }),
    sessionsPerTicketMax: count('sessions_per_ticket', 8, {
      minimum: 1,
      maximum: 1000,
      unit: 'sessions',
      description:
        'Sessions of one transfer ticket, so that its owner cannot use up those of everybody. One more ' +
        'ends its oldest that no request runs for, or else its oldest. Browsers open one for each download.',
    }),
    failedAuthenticationsMax: count('failed_authentications_per_address', 20, {
      minimum: 1,
      maximum: 1_000_000,
      unit: 'failures',
      description:
        'Wrong credentials in a row from one client address (IPv6: a /64) at the proxy; further ones get ' +
        '429. Right ones never do.',
    }),
    failedAuthenticationsPerSecond: float('failed_authentications_per_sec', {
      default: 1,
      minimum: 0.001,
      maximum: 1_000_000,
      unit: 'failures per second',
      description: 'How fast an address at failed_authentications_per_address is told reasons again.',
    }),
    failedAuthenticationAddressesMax: count('failed_authentication_addresses', 10_000, {
      minimum: 1,
      maximum: 10_000_000,
      unit: 'addresses',
      description: 'Addresses whose failures are remembered, about 200 bytes each; beyond it the oldest go.',
    }),
    jobsPerTicketMax: count('jobs_per_ticket', 16, {
      minimum: 1,
      maximum: 1000,
      unit: 'jobs',
      description:
        'Jobs of one ticket, those that ended included, about 1 KiB each, and a file or a connection to ' +
        'storage while it runs. The oldest that ended makes room for one more; when all of them run it ' +
        'gets 503.',
    }),
    jobDigestBytesMax: bytes('job_digest_bytes', 132 * MiB, {
      minimum: KiB,
      maximum: 64 * GiB,
      description:
        'The digests of blocks that jobs have computed, of all tickets, until they are asked for; a job ' +
        'that finds no room gets 503. One ticket gets half: what 8 TiB have in blocks of 4 MiB by sha256.',
    }),
    copiesMax: count('copies', 16, {
      minimum: 1,
      maximum: 1000,
      unit: 'copies',
      description:
        'Copies between tickets, those that ended included, each with 8 buffers while it runs. The oldest ' +
        'that ended makes room for one more; when all of them run it gets 503.',
    }),
    corsMaxAgeSeconds: count('cors_max_age_sec', 86_400, {
      minimum: 0,
      maximum: 86_400,
      unit: 'seconds',
      description:
        'How long browsers may remember a preflight answer; a day is the most that any of them grants.',
    }),
    unauthorisedRecordsPerSecond: count('unauthorised_records_per_sec', 5, {
      minimum: 0,
      maximum: 1_000_000,
      unit: 'records per second',
      description:
        'Log records of one client address (IPv6: a /64) without a ticket that are written as they are, ' +
        'of all addresses ten times as many. Further ones become one record with counts each second, so ' +
        'that strangers cannot flood the log.',
    }),
    logRecordBytesMax: bytes('log_record_bytes', 2 * KiB, {
      minimum: 512,
      maximum: 64 * KiB,
      description: 'One record of the log; longer values are cut, so that no request can flood it.',
    }),
  },
});

export type LimitsConfig = SectionValues<typeof limitsSection>;

interface Bounds {
  readonly minimum: number;
  readonly maximum: number;
  readonly description: string;
}

function bytes(name: string, value: number, rules: Bounds & { readonly multipleOf?: number }) {
  return integer(name, { ...rules, default: value, unit: 'bytes' });
}

function count(name: string, value: number, rules: Bounds & { readonly unit: string }) {
  return integer(name, { ...rules, default: value });
}

function seconds(name: string, value: number, rules: Omit<Bounds, 'maximum'>) {
  return float(name, { ...rules, default: value, maximum: timeoutSecondsMax, unit: 'seconds' });
}
