import { ImagesClient } from '../support/client.js';
import type { Configuration } from '../support/configuration.js';
import type { Answer } from '../support/exchange.js';
import type { Service } from '../support/processes.js';

/** Turns the listener for metrics and health on, at any free port. */
export const monitored: Configuration = { metrics: { enable: true, port: 0 } };

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What a service's `/metrics` said at one moment. */
export class Scrape {
  readonly samples: readonly Sample[];

  constructor(readonly text: string) {
    this.samples = text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map(parseSample);
  }

  static async of(service: Service): Promise<Scrape> {
    const answer = await askMonitoring(service, '/metrics');
    if (answer.status !== 200) throw new Error(`/metrics was answered with ${answer.status}`);
    return new Scrape(answer.text);
  }

  /** The names of all metrics, as their TYPE lines say. */
  get names(): ReadonlySet<string> {
    return new Set([...this.text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name ?? ''));
  }

  /** The sum of all samples of that name that have those labels; 0 when there are none. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    return this.samples
      .filter((sample) => sample.name === name)
      .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
      .reduce((sum, { value }) => sum + value, 0);
  }
}

/** Asks the monitoring listener, on a connection of its own. */
export async function askMonitoring(service: Service, path: string, method = 'GET'): Promise<Answer> {
  const client = new ImagesClient(service.address('metrics'));
  try {
    return await client.request(method, path);
  } finally {
    client.close();
  }
}

function parseSample(line: string): Sample {
  const match = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
  if (match === null) throw new Error(`Not a sample: ${line}`);
  const [, name = '', labels = '', value = ''] = match;
  return {
    name,
    labels: Object.fromEntries(
      [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', text = '']) => [label, text]),
    ),
    value: Number(value),
  };
}
