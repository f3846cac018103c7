import type { MachineLimit } from './limits.js';
import type { Measurement } from './measure.js';
import type { Outcome } from './runner.js';
import type { Scenario } from './scenarios/scenario.js';
import type { Side } from './side.js';
import { MiB } from '../src/base/units.js';
import { pairedRatios, spreadOf, type Spread } from './statistics.js';

export interface ScenarioResult {
  readonly scenario: Scenario;
  readonly outcome: Outcome;
}

interface Metric {
  readonly heading: string;
  readonly figure: (run: Measurement) => number;
  readonly show: (run: Measurement, value: number) => string;
}

const metrics: readonly Metric[] = [
  {
    heading: 'wall',
    figure: (run) => run.requestsPerSecond ?? run.wallSeconds,
    show: ({ requestsPerSecond }, value) =>
      requestsPerSecond === undefined ? seconds(value) : `${value.toFixed(0)}/s ↑`,
  },
  { heading: 'server CPU', figure: (run) => run.cpuSeconds, show: (_, value) => seconds(value) },
  {
    heading: 'peak RSS',
    figure: (run) => run.residentBytesMax / MiB,
    show: (_, value) => `${value.toFixed(0)} MiB`,
  },
];

/** The limits of the machine as a Markdown table. */
export function limitsTable(limits: readonly MachineLimit[]): string {
  const rows = limits.map(({ title, mebibytesPerSecond: { median, min, max } }) => [
    title,
    `${median.toFixed(0)} MiB/s`,
    `${min.toFixed(0)}–${max.toFixed(0)}`,
  ]);
  return table(['limit of the machine', 'median', 'min–max'], rows);
}

/** The scenarios as Markdown tables: those that compare ours with the peer, and those that compare others. */
export function resultsTables(results: readonly ScenarioResult[], sides: readonly Side[]): string {
  const own = results.filter(({ scenario }) => scenario.sides === undefined);
  const others = Map.groupBy(results, ({ scenario }) => scenario.sides);
  others.delete(undefined);
  const tables = [...others].map(([compared = sides, rows]) => resultsTable(rows, compared));
  return [...(own.length > 0 ? [resultsTable(own, sides)] : []), ...tables].join('\n\n');
}

/** The median of each side, and of the ratios of the pairs: the first to the second. */
function resultsTable(results: readonly ScenarioResult[], sides: readonly Side[]): string {
  const compared = sides.length > 1;
  const headings = metrics.flatMap(({ heading }) =>
    compared ? [`${heading}: ${sides.map(({ name }) => name).join(' / ')}`, 'ratio [min–max]'] : [heading],
  );
  const rows = results.map(({ scenario, outcome }) => [
    `${scenario.title} (\`${scenario.name}\`)`,
    ...cells(outcome, sides, headings.length),
  ]);
  return table(['scenario', ...headings], rows);
}

function cells(outcome: Outcome, sides: readonly Side[], count: number): string[] {
  if (outcome.kind !== 'measured') {
    // Only the first line: the rest of a long reason, such as the last output of a server, was printed to
    // stderr.
    const [reason = ''] = outcome.reason.split('\n');
    return [
      `${outcome.kind}: ${reason.replaceAll('|', '\\|')}`,
      ...Array.from({ length: count - 1 }, () => ''),
    ];
  }
  const [ours, peer] = sides.map(({ name }) => outcome.runs.get(name) ?? []);
  return metrics.flatMap((metric) => {
    const figures = medianOf(metric, ours ?? []);
    if (peer === undefined) return [figures];
    const ratios = pairedRatios((ours ?? []).map(metric.figure), peer.map(metric.figure));
    return [`${figures} / ${medianOf(metric, peer)}`, showRatios(ratios)];
  });
}

function medianOf({ figure, show }: Metric, runs: readonly Measurement[]): string {
  const [first] = runs;
  return first === undefined ? '' : show(first, spreadOf(runs.map(figure)).median);
}

/** CPU time is counted in hundredths of a second, so times near 0 give no meaningful ratio. */
function showRatios({ median, min, max }: Spread): string {
  if (![median, min, max].every(Number.isFinite)) return '';
  return `**${median.toFixed(2)}** [${min.toFixed(2)}–${max.toFixed(2)}]`;
}

function seconds(value: number): string {
  return `${value < 0.1 ? value.toFixed(3) : value.toFixed(2)} s`;
}

function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cellsOfRow: readonly string[]): string => `| ${cellsOfRow.join(' | ')} |`;
  return [line(headings), line(headings.map(() => '---')), ...rows.map(line)].join('\n');
}
