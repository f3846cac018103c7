import { MiB } from '../../src/base/units.js';
import type { CrashReport } from './crash-run.js';

type Amount = (report: CrashReport) => number;

/** What many runs have in common, in lines to be printed. */
export function summary(reports: readonly CrashReport[]): string[] {
  const kills = Object.entries(added(reports.map((report) => report.kills)));
  const ofClient = Object.fromEntries(kills.flatMap(([kill, times]) => clientKill(kill, times)));
  const ofServices = Object.fromEntries(kills.filter(([kill]) => !kill.startsWith(clientPrefix)));
  const livedThrough = added(reports.map((report) => report.livedThrough));
  const sum = (of: Amount): number => reports.reduce((total, report) => total + of(report), 0);
  const megabytes = (of: Amount): string => `${(sum(of) / MiB).toFixed(1)} MiB`;
  const count = (is: (report: CrashReport) => boolean): number => reports.filter(is).length;
  return [
    `${reports.length} transfers: ${count(({ plan }) => plan.direction === 'upload')} uploads, ` +
      `${count(({ plan }) => plan.throughProxy)} through the proxy, ` +
      `${count(({ plan }) => plan.storage !== 'file')} on storage that forgets, ` +
      `${count(({ plan }) => plan.keepsTickets)} at a daemon that keeps tickets`,
    `${totalOf(ofClient)} kills of the client ` +
      `by ${Object.keys(ofClient).length} signals: ${listOf(ofClient)}`,
    `${totalOf(livedThrough)} signals that it lived through: ${listOf(livedThrough)}`,
    `${totalOf(ofServices)} kills of the others: ${listOf(ofServices)}`,
    `${sum(({ starts }) => starts)} starts of the client`,
    ...amounts(megabytes),
  ];
}

const clientPrefix = 'client ';

/** @returns the signal and how often; nothing when it was not the client that was killed */
function clientKill(kill: string, times: number): readonly (readonly [string, number])[] {
  return kill.startsWith(clientPrefix) ? [[kill.slice(clientPrefix.length), times]] : [];
}

/** How often the client was killed. */
export function clientKillsOf({ kills }: CrashReport): number {
  return totalOf(
    Object.fromEntries(Object.entries(kills).flatMap(([kill, times]) => clientKill(kill, times))),
  );
}

function added(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [what, times] of counts.flatMap((count) => Object.entries(count)))
    sums[what] = (sums[what] ?? 0) + times;
  return sums;
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

function totalOf(kills: Readonly<Record<string, number>>): number {
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
