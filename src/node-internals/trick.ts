import { errorMessage } from '../base/error-details.js';
import { settledWithin } from '../base/settled-within.js';

/**
 * An environment variable: set to 1 it turns every trick off, to find out whether one of them causes a fault.
 */
export const plainNodeVariable = 'IMAGEIO_PLAIN_NODE';

/**
 * A canary over sockets takes milliseconds. One that waits for ever must not keep the service from starting.
 */
const canarySecondsMax = 5;

export interface TrickOptions {
  /** As the log says it. */
  readonly name: string;
  /** What is done without it, and what that costs, as the log says it. */
  readonly plainWay: string;
  /** Does what the trick does, on a small scale. @throws when Node does not behave as the trick needs it */
  readonly canary: () => void | Promise<void>;
}

/**
 * One use of behaviour that Node does not document. Each is in one file of this folder, with its reason, a
 * canary that shows whether the Node at hand still behaves so, and a plain way that is taken when it does
 * not. A trick is in use unless its canary fails or `IMAGEIO_PLAIN_NODE` is 1. A service runs the canaries
 * before it opens its listeners; a test of one part need not run them.
 */
export class Trick {
  #plainBecause: string | undefined =
    process.env[plainNodeVariable] === '1' ? `${plainNodeVariable} is 1` : undefined;

  constructor(private readonly options: TrickOptions) {}

  get name(): string {
    return this.options.name;
  }

  /** False: the plain way is to be taken. */
  get inUse(): boolean {
    return this.#plainBecause === undefined;
  }

  /** What a log should say of the plain way that is taken; undefined while the trick is in use. */
  get fallback(): string | undefined {
    const { name, plainWay } = this.options;
    return this.inUse ? undefined : `Without ${name} (${this.#plainBecause}): ${plainWay}`;
  }

  /** Takes the plain way from now on. Transfers that already use the trick keep it until they end. */
  turnOff(reason: string): void {
    this.#plainBecause ??= reason;
  }

  /** Runs the canary, and turns the trick off when that fails or takes too long. Never rejects. */
  async check(): Promise<void> {
    if (!this.inUse) return;
    try {
      await settledWithin(this.options.canary(), canarySecondsMax, () => {
        throw new Error(`no result after ${canarySecondsMax} seconds`);
      });
    } catch (error: unknown) {
      this.turnOff(errorMessage(error));
    }
  }
}
