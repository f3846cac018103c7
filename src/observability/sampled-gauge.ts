import { Counter, Gauge, type Registry } from 'prom-client';
import { settledWithin } from '../base/settled-within.js';

/** One value of a gauge, with the labels that tell it from the others. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface SampledGaugeOptions {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly string[];
  /** The values only grow, from the start on. */
  readonly isCounter?: boolean;
  /** Asked at each scrape. When it fails, or takes too long, the gauge has no value in that scrape. */
  readonly read: () => readonly Sample[] | Promise<readonly Sample[]>;
  readonly timeoutSeconds?: number;
}

const timeoutSecondsDefault = 1;

/**
 * Adds a gauge, or a counter, to `registry` whose values are looked up when they are wanted, so that nothing
 * has to keep count of them.
 */
export function addSampledGauge(registry: Registry, options: SampledGaugeOptions): void {
  const { name, help, labelNames = [], read, timeoutSeconds = timeoutSecondsDefault } = options;
  const described = { name, help, labelNames, registers: [registry] };
  const sampled = () => settledWithin(samplesOrNone(read), timeoutSeconds, () => []);
  if (options.isCounter === true) {
    new Counter({
      ...described,
      async collect() {
        const samples = await sampled();
        this.reset();
        for (const { labels = {}, value } of samples) this.inc(labels, value);
      },
    });
    return;
  }
  new Gauge({
    ...described,
    async collect() {
      const samples = await sampled();
      this.reset();
      // A gauge without labels has the value 0 after a reset, which would be taken for a measured one.
      if (samples.length === 0) this.remove();
      for (const { labels = {}, value } of samples) this.set(labels, value);
    },
  });
}

async function samplesOrNone(read: SampledGaugeOptions['read']): Promise<readonly Sample[]> {
  try {
    return await read();
  } catch {
    return [];
  }
}
