import { MiB } from '../../src/base/units.js';
import type { CrashReport } from './crash-run.js';

type Amount = (report: CrashReport) => number;

/** What many runs have in common, in lines to be printed. */
export function summary(reports: readonly CrashReport[]): string[] {
  const kills: Record<string, number> = {};
  for (const report of reports)
    for (const [kill, times] of Object.entries(report.kills)) kills[kill] = (kills[kill] ?? 0) + times;
  const sum = (of: Amount): number => reports.reduce((total, report) => total + of(report), 0);
  const megabytes = (of: Amount): string => `${(sum(of) / MiB).toFixed(1)} MiB`;
  const count = (is: (report: CrashReport) => boolean): number => reports.filter(is).length;
  return [
    `${reports.length} transfers: ${count(({ plan }) => plan.direction === 'upload')} uploads, ` +
      `${count(({ plan }) => plan.throughProxy)} through the proxy, ` +
      `${count(({ plan }) => plan.storage !== 'file')} on storage that forgets, ` +
      `${count(({ plan }) => plan.keepsTickets)} at a daemon that keeps tickets`,
    `${totalOf(kills)} kills: ${listOf(kills)}`,
    `${sum(({ starts }) => starts)} starts of the client`,
    ...amounts(megabytes),
  ];
}

function amounts(megabytes: (of: Amount) => string): string[] {
  const moved = megabytes(({ movedBytes }) => movedBytes);
  const refused = megabytes(({ refusedBytes }) => refusedBytes);
  const again = megabytes(({ againBytes }) => againBytes);
  const lost = megabytes(({ lostBytes }) => lostBytes);
  const wasted = megabytes(({ wastedBytes }) => wastedBytes);
  return [
    `${moved} sent, ${refused} refused`,
    `${again} sent again, ${wasted} of them durable, where ${lost} were not durable at the kills`,
  ];
}

export function totalOf(kills: Readonly<Record<string, number>>): number {
  return Object.values(kills).reduce((total, times) => total + times, 0);
}

/** What is to be known of a run that found something. */
export function describeRun({ run, plan, findings, story }: CrashReport): string[] {
  const { strikes, data, ...about } = plan;
  return [
    `run ${run}: ${findings.join('; ')}`,
    `  ${JSON.stringify(about)}, ${data.length} pieces of data`,
    ...strikes.map((strike) => `  ${JSON.stringify(strike)}`),
    ...story.map((line) => `  ${line}`),
  ];
}

export function listOf(kills: Readonly<Record<string, number>>): string {
  return Object.entries(kills)
    .toSorted(([one], [other]) => one.localeCompare(other))
    .map(([kill, times]) => `${kill} ${times}`)
    .join(', ');
}
