import type { Clock } from '../base/clock.js';
import { networkOf } from './client-network.js';
import type { RecordLevel, RecordSink, StrangerRecord } from './record-sink.js';
import type { Logger } from '../log/logger.js';

export interface StrangerRecordsOptions {
  /** The name of the listener. */
  readonly listener: string;
  /**
   * Records of one client address, IPv6 a /64, that are written as they are in a second. 0: all are summed
   * up.
   */
  readonly recordsPerSecondMax: number;
}

/**
 * All addresses together may have this many times `recordsPerSecondMax` records written one by one, so that
 * many addresses cannot fill the log either. With the summed ones these are some 150 records a second for
 * each level. By default journald takes 10000 records in 30 s and then drops all others, those of honest
 * clients too.
 */
const singleNetworksMax = 10;

/**
 * Networks that have a sum of their own, some hundred bytes of memory and one record a second each. All
 * further ones share one.
 */
const networksMax = 100;

/** What the sum of all further networks has in place of an address. */
const others = 'others';

const secondMilliseconds = 1000;

/** The records of one network in one second. */
interface NetworkSum {
  /** Those that were written as they are. */
  written: number;
  /** Those that were not. */
  summed: number;
  readonly messages: Record<string, number>;
  readonly statuses: Record<string, number>;
}

/** What came at one level in one second. */
interface LevelSums {
  /** Records of all networks that were written as they are. */
  written: number;
  readonly networks: Map<string | undefined, NetworkSum>;
}

/**
 * The log records that anybody can cause without a ticket. The first few of a second are written as they are,
 * all others are counted: one record for each network, when the second ends, says how many there were of
 * which message and status. So a flood of refused requests stays small in the log, and still every one of
 * them is counted there (docs/protocol.md, "Log records").
 */
export class StrangerRecords implements RecordSink {
  readonly #levels = new Map<RecordLevel, LevelSums>();
  #timer: NodeJS.Timeout | undefined;
  #beganSeconds = 0;

  constructor(
    private readonly options: StrangerRecordsOptions,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  write(level: RecordLevel, record: StrangerRecord, message: string): void {
    if (!this.logger.isLevelEnabled(level)) return;
    this.#begin();
    const { recordsPerSecondMax } = this.options;
    const sums = this.#sumsOf(level);
    const sum = sumOf(sums.networks, record.client);
    if (sum.written < recordsPerSecondMax && sums.written < recordsPerSecondMax * singleNetworksMax) {
      sum.written++;
      sums.written++;
      this.logger[level](record, message);
      return;
    }
    sum.summed++;
    countIn(sum.messages, message);
    if (record.status !== undefined) countIn(sum.statuses, String(record.status));
  }

  /** Ends the second early: writes at once what is summed up. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const milliseconds = Math.round((this.clock.monotonicSeconds() - this.#beganSeconds) * 1000);
    for (const [level, { networks }] of this.#levels) {
      for (const [client, { summed, messages, statuses }] of networks) {
        if (summed === 0) continue;
        const { listener } = this.options;
        this.logger[level](
          { listener, client, records: summed, messages, statuses, milliseconds },
          'Records without a ticket summed up',
        );
      }
    }
    this.#levels.clear();
  }

  /** Starts the timer of a second at its first record, so that no timer runs while there are no records. */
  #begin(): void {
    if (this.#timer !== undefined) return;
    this.#beganSeconds = this.clock.monotonicSeconds();
    this.#timer = setTimeout(() => {
      this.flush();
    }, secondMilliseconds).unref();
  }

  #sumsOf(level: RecordLevel): LevelSums {
    const known = this.#levels.get(level);
    if (known !== undefined) return known;
    const sums: LevelSums = { written: 0, networks: new Map() };
    this.#levels.set(level, sums);
    return sums;
  }
}

/** @param address undefined for unix sockets, whose clients are all of this host */
function sumOf(networks: LevelSums['networks'], address: string | undefined): NetworkSum {
  const network = address === undefined ? undefined : networkOf(address);
  const known = networks.get(network);
  if (known !== undefined) return known;
  if (networks.size >= networksMax && network !== others) return sumOf(networks, others);
  const sum: NetworkSum = { written: 0, summed: 0, messages: {}, statuses: {} };
  networks.set(network, sum);
  return sum;
}

function countIn(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1;
}
