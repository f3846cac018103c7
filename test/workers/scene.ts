import type { DaemonUnderTest } from '../e2e/daemon-under-test.js';
import { monitored } from '../e2e/monitoring.js';
import type { Configuration } from '../support/configuration.js';
import type { SeededRandom } from '../support/random.js';

/** What can go wrong between threads, tried once for each number of a seed. */
export interface Scene extends AsyncDisposable {
  /** @throws AssertionError when it went wrong */
  run(random: SeededRandom): Promise<void>;
}

export const workers = 2;

/** Of the daemon of each scene. */
export const configuration: Configuration = { ...monitored, daemon: { workers } };

/** A scene with one daemon for all of its runs. */
export abstract class DaemonScene implements Scene {
  constructor(protected readonly fixture: DaemonUnderTest) {}

  abstract run(random: SeededRandom): Promise<void>;

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fixture[Symbol.asyncDispose]();
  }
}
