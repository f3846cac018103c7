import { MiB, type ByteRange } from '../../src/base/units.js';
import { SeededRandom } from '../support/random.js';
import type { RequestKind } from './counting-relay.js';
import type { StorageKind } from './storage.js';

export type Victim = 'client' | 'daemon' | 'proxy' | 'storage' | 'host';

/** When something is killed. Each is awaited for as long as the client runs. */
export type Moment =
  /** When so much of what is left has gone over the wire, from 0 to 1. */
  | { readonly kind: 'moved'; readonly share: number }
  /** So long after the client was started. */
  | { readonly kind: 'time'; readonly milliseconds: number }
  /** So long after such a request has come. */
  | { readonly kind: 'request'; readonly request: RequestKind; readonly milliseconds: number };

export interface Strike {
  /** `host` is daemon and storage at once. */
  readonly victim: Victim;
  readonly signal: NodeJS.Signals;
  readonly moment: Moment;
  /** Kills the client as well, while the victim is away. */
  readonly alsoClient: NodeJS.Signals | undefined;
  /** How long the victim is away. */
  readonly downMilliseconds: number;
}

export interface CrashPlan {
  readonly direction: 'upload' | 'download';
  readonly storage: StorageKind;
  readonly throughProxy: boolean;
  readonly keepsTickets: boolean;
  /** Which ticket there is after a daemon has lost its own. */
  readonly newTicket: 'same at once' | 'same' | 'another';
  readonly workers: number;
  readonly verifies: boolean;
  /** The target has other data before. */
  readonly isDirty: boolean;
  readonly sizeBytes: number;
  /** Where the source has data; it has zeroes elsewhere. */
  readonly data: readonly ByteRange[];
  readonly bytesPerSecond: number;
  readonly strikes: readonly Strike[];
}

/** After these the client stops in an orderly way. */
export const caughtSignals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** It goes on after these: a reader has gone, a file is too long, it is to tell where it is, or is held. */
export const passingSignals: readonly NodeJS.Signals[] = ['SIGPIPE', 'SIGXFSZ', 'SIGUSR1', 'SIGSTOP'];
/** All that a user, a service manager or the kernel sends; what is most likely comes twice as often. */
const clientSignals: readonly NodeJS.Signals[] = [
  ...[...caughtSignals, 'SIGKILL' as const],
  ...[...caughtSignals, 'SIGKILL' as const],
  ...(['SIGPIPE', 'SIGUSR1', 'SIGSTOP'] as const),
  ...(['SIGQUIT', 'SIGABRT', 'SIGALRM', 'SIGVTALRM', 'SIGUSR2', 'SIGXCPU', 'SIGXFSZ', 'SIGIO'] as const),
  ...(['SIGSEGV', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGSYS', 'SIGTRAP', 'SIGSTKFLT', 'SIGPWR'] as const),
];
const serviceSignals: readonly NodeJS.Signals[] = ['SIGKILL', 'SIGKILL', 'SIGTERM'];
const requests: readonly RequestKind[] = [
  ...(['options', 'head', 'ranges', 'digests', 'extents'] as const),
  ...(['flush', 'flush', 'zero', 'write', 'read'] as const),
];

/**
 * What is done in one run, and when. The same seed and number give the same plan; what becomes of it depends
 * on which process is how far at that moment.
 */
export function planOf(seed: number, run: number): CrashPlan {
  const random = new SeededRandom(Math.imul(seed, 0x9e3779b1) + run);
  const direction = random.below(4) === 0 ? 'download' : 'upload';
  const storage = random.of<StorageKind>(['file', 'cache', 'cache', 'qcow2']);
  const throughProxy = random.below(5) < 2;
  const sizeBytes = (12 + random.below(16)) * MiB + random.below(3) * 4096;
  const victims: Victim[] = [...Array<Victim>(8).fill('client'), 'daemon', 'daemon'];
  if (throughProxy) victims.push('proxy', 'proxy');
  if (storage !== 'file') victims.push('storage', 'host');
  return {
    ...{ direction, storage, throughProxy, sizeBytes },
    keepsTickets: random.below(2) === 0,
    newTicket: random.of(['same at once', 'same', 'another']),
    workers: 1 + random.below(5),
    verifies: random.below(3) === 0,
    isDirty: random.below(2) === 0,
    data: dataIn(sizeBytes, random),
    bytesPerSecond: (8 + random.below(24)) * MiB,
    strikes: Array.from({ length: 1 + random.below(5) }, () => strikeOf(victims, random)),
  };
}

function strikeOf(victims: readonly Victim[], random: SeededRandom): Strike {
  const victim = random.of(victims);
  const signal =
    victim === 'client'
      ? random.of(clientSignals)
      : victim === 'daemon' || victim === 'proxy'
        ? random.of(serviceSignals)
        : 'SIGKILL';
  return {
    victim,
    signal,
    moment: momentOf(random),
    alsoClient: victim !== 'client' && random.below(5) === 0 ? random.of(clientSignals) : undefined,
    downMilliseconds: random.below(600),
  };
}

function momentOf(random: SeededRandom): Moment {
  switch (random.below(4)) {
    case 0:
      return { kind: 'time', milliseconds: random.below(1500) };
    case 1:
      return {
        kind: 'request',
        request: random.of(requests),
        milliseconds: random.below(3) * random.below(20),
      };
    default:
      return { kind: 'moved', share: random.next() };
  }
}

/** Pieces of data and of zeroes by turns, most of them no whole blocks. */
function dataIn(sizeBytes: number, random: SeededRandom): ByteRange[] {
  const data: ByteRange[] = [];
  for (let offsetBytes = 0; offsetBytes < sizeBytes;) {
    const lengthBytes = Math.min((1 + random.below(1536)) * 4096, sizeBytes - offsetBytes);
    data.push({ offsetBytes, lengthBytes });
    offsetBytes += lengthBytes + random.below(512) * 4096;
  }
  return data;
}
