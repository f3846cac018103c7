import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { text } from 'node:stream/consumers';
import { MiB } from '../../src/base/units.js';
import { eventually } from '../support/deadline.js';
import { pinnedNode } from '../support/project.js';
import type { Tally, Target } from './attack.js';
import { HonestClient, type HonestReport } from './honest-client.js';
import { HostileWorld } from './hostile-world.js';
import { descriptorsOf, watch, type WatchReport } from './watch.js';

export interface HostileOptions {
  readonly seed: number;
  /** How long the honest client works alone, for comparison. */
  readonly quietSeconds: number;
  readonly hostileSeconds: number;
}

export interface HostileReport {
  readonly quiet: HonestReport;
  readonly hostile: HonestReport;
  readonly services: readonly (WatchReport & {
    readonly descriptorsBefore: number;
    readonly descriptorsAfter: number;
  })[];
  readonly attacks: Readonly<Record<string, Tally>>;
}

/** What must hold, whatever the attackers do. */
const residentBytesMax = 400 * MiB;
const descriptorsMore = 10;
const slowdownMax = 20;
const healthMillisecondsMax = 1000;
/** One second, and what two busy cores add to it. */
const removalMillisecondsMax = 3000;
/** A silent handshake may take 10 s; nothing else of the attackers' lasts longer once they are gone. */
const settleMs = 30_000;

/** All attacks at once, beside one honest client that moves images in both directions. */
export async function runHostile(options: HostileOptions): Promise<HostileReport> {
  await using world = await HostileWorld.start();
  const honest = new HonestClient(world);
  const quiet = await honest.work(AbortSignal.timeout(options.quietSeconds * 1000));
  const descriptorsBefore = world.services.map(descriptorsOf);

  using attackers = Attackers.start(world.target, options.seed);
  const ended = new AbortController();
  const watched = Promise.all(world.services.map((service) => watch(service, ended.signal)));
  const hostile = await honest.work(AbortSignal.timeout(options.hostileSeconds * 1000)).finally(() => {
    ended.abort();
  });
  const reports = await watched;
  const attacks = await attackers.stop();

  const descriptorsAfter = await Promise.all(
    world.services.map((service, index) =>
      eventually(
        () => settled(descriptorsOf(service), (descriptorsBefore[index] ?? 0) + descriptorsMore),
        'the descriptors of the attackers are closed',
        { deadlineMs: settleMs, intervalMs: 500 },
      ).catch(() => descriptorsOf(service)),
    ),
  );
  const services = reports.map((report, index) => ({
    ...report,
    descriptorsBefore: descriptorsBefore[index] ?? 0,
    descriptorsAfter: descriptorsAfter[index] ?? 0,
  }));
  return { quiet, hostile, services, attacks };
}

function settled(value: number, limit: number): number | undefined {
  return value <= limit ? value : undefined;
}

/**
 * What does not hold of a run, in words; empty when all is well. That images are equal
 * was seen by the honest client.
 */
export function findings(
  { hostile, services }: HostileReport,
  memoryBytesMax: Readonly<Record<string, number>> = {},
): string[] {
  const found: string[] = [];
  if (hostile.uploads === 0 || hostile.downloads === 0)
    found.push('the honest client did not end a transfer in each direction');
  for (const {
    role,
    residentBytesMax: residentBytes,
    descriptorsBefore,
    descriptorsAfter,
    ...health
  } of services) {
    if (residentBytes > (memoryBytesMax[role] ?? residentBytesMax))
      found.push(`the ${role} took ${Math.round(residentBytes / MiB)} MiB`);
    if (descriptorsAfter > descriptorsBefore + descriptorsMore)
      found.push(`the ${role} has ${descriptorsAfter} descriptors open, ${descriptorsBefore} before`);
    if (health.healthChecks === 0) found.push(`the health of the ${role} was not asked for`);
    if (health.unhealthy.length > 0)
      found.push(`the ${role} was unhealthy ${health.unhealthy.length} times: ${health.unhealthy[0] ?? ''}`);
  }
  return found;
}

/** What took too long; it depends on what else the machine does, so no test asserts it. */
export function slownessFindings({ quiet, hostile, services, attacks }: HostileReport): string[] {
  const found: string[] = [];
  const [quietMs, hostileMs] = [percentile99(quiet), percentile99(hostile)];
  if (!(hostileMs <= slowdownMax * quietMs))
    found.push(
      `small reads took ${hostileMs.toFixed(0)} ms (p99), ${quietMs.toFixed(0)} ms without attackers`,
    );
  for (const { role, slowestHealthMilliseconds: healthMs } of services)
    if (healthMs > healthMillisecondsMax)
      found.push(`the health of the ${role} took ${healthMs.toFixed(0)} ms`);
  const removalMs = Math.max(0, ...Object.values(attacks).map((tally) => tally['slowest removal, ms'] ?? 0));
  if (removalMs > removalMillisecondsMax)
    found.push(`removing a ticket whose storage hangs took ${removalMs} ms`);
  return found;
}

/** The time in which 99 of 100 small reads were answered, in milliseconds. */
export function percentile99({ smallReadMilliseconds }: HonestReport): number {
  const sorted = smallReadMilliseconds.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length * 0.99)] ?? NaN;
}

/** The process of the attackers. */
class Attackers implements Disposable {
  private constructor(
    private readonly child: ChildProcess,
    private readonly output: Promise<string>,
  ) {}

  static start(target: Target, seed: number): Attackers {
    const program = fileURLToPath(new URL('attackers.js', import.meta.url));
    const child = spawn(pinnedNode, [program], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.write(`${JSON.stringify({ target, seed })}\n`);
    return new Attackers(child, text(child.stdout));
  }

  /** Ends the attacks. @returns what each of them did */
  async stop(): Promise<Record<string, Tally>> {
    const exited = once(this.child, 'exit');
    this.child.stdin?.end();
    await exited;
    return JSON.parse(await this.output) as Record<string, Tally>;
  }

  [Symbol.dispose](): void {
    this.child.kill('SIGKILL');
  }
}
