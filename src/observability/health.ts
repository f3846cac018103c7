import { settledWithin } from '../base/settled-within.js';

/** Something that the service cannot do its work without. */
export interface HealthCheck {
  /** What operators call it, e.g. `listeners`. */
  readonly name: string;
  /**
   * @throws Error, or rejects, when it does not work; the message is shown to whoever asks for the health, so
   * it has no secret in it
   */
  check(): void | Promise<void>;
}

export interface HealthReport {
  readonly ready: boolean;
  /** `ok` or what is wrong, by the name of the check. */
  readonly checks: Readonly<Record<string, string>>;
}

/** Less than the second in which health answers, whatever hangs. */
const checkSecondsDefault = 0.8;

/**
 * Whether the service should get new work now. It asks every check each time, all at once, and waits for none
 * longer than its time.
 */
export class Health {
  constructor(
    private readonly checks: readonly HealthCheck[],
    private readonly checkSeconds = checkSecondsDefault,
  ) {}

  async report(): Promise<HealthReport> {
    const results = await Promise.all(
      this.checks.map(async (check) => [check.name, await this.#result(check)] as const),
    );
    return {
      ready: results.every(([, result]) => result === 'ok'),
      checks: Object.fromEntries(results),
    };
  }

  async #result(check: HealthCheck): Promise<string> {
    const late = () => `no answer within ${this.checkSeconds} s`;
    try {
      return await settledWithin(passed(check), this.checkSeconds, late);
    } catch (error: unknown) {
      return error instanceof Error ? error.message : 'failed';
    }
  }
}

async function passed(check: HealthCheck): Promise<string> {
  await check.check();
  return 'ok';
}
