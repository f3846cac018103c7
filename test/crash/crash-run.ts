import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { errorMessage } from '../../src/base/error-details.js';
import { MiB } from '../../src/base/units.js';
import { imageioProgram } from '../client/imageio-under-test.js';
import { describeExit, Program, type Exit } from '../support/program.js';
import { pinnedNode } from '../support/project.js';
import { caughtSignals, passingSignals, type CrashPlan, type Moment, type Strike } from './crash-plan.js';
import { CrashScene } from './crash-scene.js';
import type { CrashWorld } from './crash-world.js';
import type { MovedBytes, MovedSummary } from './moved-bytes.js';

/** A client that has to be started so often does not get ahead. */
const startsMax = 12;
/** Longer than a client waits in all for what is away. */
const clientMilliseconds = 180_000;
/** A request that does not come is not waited for longer. */
const requestMilliseconds = 1500;
/** The length of a block (`--buffer-size`). */
const blockBytes = MiB;
const interruptedExitCode = 130;
const refusedExitCode = 4;
const failedExitCode = 1;

export interface CrashReport extends MovedSummary {
  readonly run: number;
  readonly plan: CrashPlan;
  /** How often what was killed how, e.g. `client SIGHUP`. A client that was done before it died was not. */
  readonly kills: Readonly<Record<string, number>>;
  /** How often the client got a signal that it goes on after, e.g. `SIGPIPE`. */
  readonly livedThrough: Readonly<Record<string, number>>;
  /** How often the client was started. */
  readonly starts: number;
  /** How it must not be; empty when all is well. */
  readonly findings: readonly string[];
  /** What happened, in order, for whoever looks for the reason of a finding. */
  readonly story: readonly string[];
}

/** A client from its start to its end. */
interface Life {
  readonly client: Program;
  readonly startedAt: number;
  /** Something was killed that it cannot live through. */
  mayFail: boolean;
  /** It may end by them. */
  readonly signals: NodeJS.Signals[];
}

/** Moves one image while what takes part in it is killed and started again, as the plan says. */
export class CrashRun {
  readonly #strikes: Strike[];
  readonly #kills: Record<string, number> = {};
  readonly #livedThrough: Record<string, number> = {};
  readonly #findings: string[] = [];
  readonly #story: string[] = [];
  readonly #beganAt = performance.now();
  readonly #count: MovedBytes;
  readonly #dataBytes: number;
  #killCount = 0;
  #starts = 0;
  /** A client has come so far that it remembers something. */
  #hasBegun = false;

  constructor(
    private readonly world: CrashWorld,
    private readonly plan: CrashPlan,
    private readonly run: number,
  ) {
    this.#strikes = [...plan.strikes];
    this.#count = world.relay.countAnew();
    this.#dataBytes = plan.data.reduce((bytes, { lengthBytes }) => bytes + lengthBytes, 0);
  }

  async toTheEnd(): Promise<CrashReport> {
    await using scene = await CrashScene.prepare(this.world, this.plan, this.run);
    while (!(await this.#live(scene))) {
      if (this.#starts < startsMax) continue;
      this.#findings.push(`the client was started ${startsMax} times and is not done`);
      break;
    }
    await scene.compare().catch((error: unknown) => {
      this.#findings.push(`what was moved is not there: ${errorMessage(error)}`);
    });
    this.#lookAtBytes();
    return {
      ...this.#count.summary,
      ...{ run: this.run, plan: this.plan, kills: this.#kills, starts: this.#starts },
      ...{ livedThrough: this.#livedThrough, findings: this.#findings, story: this.#story },
    };
  }

  /** @returns whether it is done */
  async #live(scene: CrashScene): Promise<boolean> {
    const args = [imageioProgram, ...(await scene.command())];
    // A file of what it had in memory would be left where it stands.
    const client = await Program.start('prlimit', ['--core=0', pinnedNode, ...args]);
    const life: Life = { client, startedAt: performance.now(), mayFail: false, signals: [] };
    this.#starts += 1;
    this.#tell(this.#starts === 1 ? `client started: ${args.slice(1).join(' ')}` : 'client started');
    while (!client.hasExited) {
      const [strike] = this.#strikes;
      if (strike === undefined || !(await this.#comes(strike.moment, life))) break;
      this.#strikes.shift();
      await this.#strike(strike, life, scene);
    }
    const exit = await client.waitForExit(clientMilliseconds);
    return this.#hasEnded(exit, life, scene);
  }

  /** @returns whether the moment has come while the client runs */
  async #comes(moment: Moment, { client, startedAt }: Life): Promise<boolean> {
    const { relay } = this.world;
    const over = new AbortController();
    const { signal } = over;
    const wait = async (): Promise<void> => {
      if (moment.kind === 'time') {
        const leftMilliseconds = startedAt + moment.milliseconds - performance.now();
        await delay(Math.max(1, leftMilliseconds), undefined, { signal });
      } else if (moment.kind === 'moved') {
        const doneBytes = this.#count.summary.movedBytes - this.#count.summary.againBytes;
        const wantedBytes = relay.movedBytes + moment.share * (this.#dataBytes - doneBytes);
        while (relay.movedBytes < wantedBytes) await once(relay.events, 'moved', { signal });
      } else {
        const come = async (): Promise<void> => {
          for (;;) if ((await once(relay.events, 'request', { signal }))[0] === moment.request) return;
        };
        await Promise.race([come(), delay(requestMilliseconds, undefined, { signal })]);
        await delay(moment.milliseconds, undefined, { signal });
      }
    };
    const waited = wait().then(
      () => true,
      () => false,
    );
    const came = await Promise.race([waited, client.exited.then(() => false)]);
    over.abort();
    return came && !client.hasExited;
  }

  async #strike(strike: Strike, life: Life, scene: CrashScene): Promise<void> {
    const { victim, signal, alsoClient, downMilliseconds } = strike;
    if (victim === 'client') {
      await this.#signalClient(signal, life, downMilliseconds);
      return;
    }
    life.mayFail ||=
      !hasBegun(life) || (!this.plan.keepsTickets && (victim === 'daemon' || victim === 'host'));
    this.#counted(`${victim} ${signal}`);
    // What the service takes until it is dead counts as lost too.
    await scene.kill(victim, signal);
    if (this.plan.direction === 'upload') this.#count.killed();
    if (victim !== 'proxy') this.#count.forgotten();
    if (alsoClient !== undefined) {
      await delay(downMilliseconds / 2);
      await this.#signalClient(alsoClient, life, downMilliseconds);
    }
    await delay(downMilliseconds);
    await scene.startAgain(victim);
    this.#tell(`${victim} is back`);
  }

  /** @param heldMilliseconds how long a client is held that is stopped */
  async #signalClient(signal: NodeJS.Signals, life: Life, heldMilliseconds: number): Promise<void> {
    const { client } = life;
    if (client.hasExited) return;
    this.#tell(`signal to the client: ${signal}`);
    // Before it has begun it is a program that nobody has told what to do with a signal.
    if (passingSignals.includes(signal) && hasBegun(life)) countIn(this.#livedThrough, signal);
    else life.signals.push(signal);
    client.signal(signal);
    if (signal !== 'SIGSTOP') return;
    await delay(heldMilliseconds);
    client.signal('SIGCONT');
  }

  /** @returns whether nothing is left to do */
  async #hasEnded(exit: Exit, life: Life, scene: CrashScene): Promise<boolean> {
    this.#hasBegun ||= isUnderWay(life);
    this.#tell(`client ended: ${describeExit(exit)}; ${life.client.lines.at(-1) ?? 'it printed nothing'}`);
    if (exit.code === 0) return true;
    const state = await scene.state();
    if (this.plan.direction === 'download' && state !== undefined) this.#count.durableIs(state.durable);
    this.#count.killed();
    const killer = killerOf(exit, life);
    if (killer !== undefined) {
      this.#counted(`client ${killer}`);
      // It was killed after it had taken away what it remembers, as the last of all.
      return this.#hasBegun && state === undefined;
    }
    const isFailure = exit.code === failedExitCode || exit.code === refusedExitCode;
    if (!life.mayFail || !isFailure)
      this.#findings.push(`the client ended with ${describeExit(exit)}: ${life.client.lines.at(-1) ?? ''}`);
    // Nobody has killed it.
    if (scene.storageEnd !== undefined) throw new Error(scene.storageEnd);
    return false;
  }

  #lookAtBytes(): void {
    const { againBytes, lostBytes, wastedBytes } = this.#count.summary;
    const inFlightBytes = this.#killCount * connectionsOf(this.plan) * blockBytes;
    if (againBytes > lostBytes + inFlightBytes)
      this.#findings.push(
        `${againBytes} bytes were sent again, where ${lostBytes} were lost and ${inFlightBytes} on their way`,
      );
    if (wastedBytes > inFlightBytes)
      this.#findings.push(`${wastedBytes} bytes were sent again that were durable`);
  }

  #counted(kill: string): void {
    countIn(this.#kills, kill);
    this.#killCount += 1;
    this.#tell(kill);
  }

  #tell(what: string): void {
    const { movedBytes, lostBytes } = this.#count.summary;
    const seconds = ((performance.now() - this.#beganAt) / 1000).toFixed(2);
    this.#story.push(`${seconds} s, ${movedBytes} moved, ${lostBytes} lost: ${what}`);
  }
}

function countIn(counts: Record<string, number>, what: string): void {
  counts[what] = (counts[what] ?? 0) + 1;
}

/** The signal that a client has ended by; undefined when it has ended by itself. */
function killerOf({ code, signal }: Exit, { signals }: Life): NodeJS.Signals | undefined {
  if (code === interruptedExitCode) return signals.find((sent) => caughtSignals.includes(sent));
  return signals.find((sent) => sent === signal);
}

/** It has opened the image, so that from now on it tries again what fails. */
function hasBegun({ client }: Life): boolean {
  return client.lines.some((line) => line.includes('"event":"progress"'));
}

/** It has kept a state, and moves what is left. */
function isUnderWay({ client }: Life): boolean {
  return client.lines.some((line) => /"phase":"(transferring|flushing|verifying|done)"/.test(line));
}

/** How many a client uses: a file that grows has one writer. */
function connectionsOf({ direction, storage, workers }: CrashPlan): number {
  return direction === 'upload' && storage === 'file' ? 1 : workers;
}
