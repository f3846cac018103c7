import { setTimeout as delay } from 'node:timers/promises';
import type { OnApplicationShutdown } from '@nestjs/common';
import { UnavailableError } from '../base/errors.js';
import { describeError, type Logger } from '../log/logger.js';
import type { Config } from '../config/config.js';
import type { HttpListener } from '../wire/http-listener.js';
import type { Reloadable } from '../config/reloadable.js';

/** Work that goes on although no request waits for it. */
export interface BackgroundWork {
  /** How many there are of it. */
  readonly running: number;
  /** Stops all of it after the I/O in flight. */
  abort(reason: Error): void;
}

export interface ServiceParts {
  readonly listeners: readonly HttpListener[];
  /**
   * The listener for metrics and health. It answers from before the start until after the stop of the others.
   */
  readonly monitoring?: HttpListener | undefined;
  /** What runs without a request that waits for it. */
  readonly background?: BackgroundWork | undefined;
  readonly reloadables?: readonly Reloadable[];
  /** How long running requests may go on after a stop was asked for. */
  readonly graceSeconds: number;
}

const pollMilliseconds = 20;
// After their requests were cancelled operations still wait for the I/O in flight; storage that hangs must
// not hang the stop.
const cancelSeconds = 5;
// A listener that stops last answers what it has accepted, which takes milliseconds.
const lastSeconds = 1;
// A socket that was destroyed is closed in the next turn of the event loop.
const cutSeconds = 1;

/** A running role: its listeners, started and stopped together. */
export class Service implements OnApplicationShutdown {
  constructor(
    private readonly parts: ServiceParts,
    private readonly logger: Logger,
  ) {}

  /** Binds every listener; when one fails, none stays bound. @throws Error naming the listener */
  async open(): Promise<void> {
    try {
      for (const listener of this.#allListeners) await listener.open();
    } catch (error: unknown) {
      for (const listener of this.#allListeners) listener.close();
      throw error;
    }
  }

  /** Where it can be reached, by the name of the listener. */
  get addresses(): { readonly name: string; readonly address: string }[] {
    return this.#allListeners.filter(({ absent }) => !absent).map(({ name, address }) => ({ name, address }));
  }

  /**
   * Takes what can be changed while it runs. A part that cannot take its new value keeps the old one, which
   * one line of the log says.
   */
  reload(config: Config): void {
    for (const part of this.parts.reloadables ?? []) {
      try {
        part.reload(config);
        this.logger.info(`Reloaded ${part.what}`);
      } catch (error: unknown) {
        this.logger.error(`Cannot reload ${part.what}, the old one stays: ${describeError(error)}`);
      }
    }
  }

  /** The file of the control socket, if it has one that was made here. */
  get controlSocketPath(): string | undefined {
    return this.parts.listeners.find(({ name }) => name === 'control')?.ownSocketPath;
  }

  /**
   * Lets running requests and jobs end within the grace period, cancels the rest and closes the listeners;
   * what is behind them is closed with the application.
   */
  async stop(): Promise<void> {
    const { listeners, background, graceSeconds } = this.parts;
    const last = listeners.filter(({ isLastToStop }) => isLastToStop);
    const others = listeners.filter(({ isLastToStop }) => !isLastToStop);
    for (const listener of others) listener.drain();
    await this.#end(background === undefined ? others : [...others, background], graceSeconds);
    for (const listener of last) listener.drain();
    await this.#end(last, lastSeconds);
    for (const listener of listeners) listener.close();
  }

  /** Lets what they do end within the grace period, and cancels the rest. */
  async #end(parts: readonly BackgroundWork[], graceSeconds: number): Promise<void> {
    await idleWithin(parts, graceSeconds);
    for (const part of parts) part.abort(new UnavailableError('The service is stopping'));
    if (!(await idleWithin(parts, cancelSeconds)))
      this.logger.warn('Requests still run, storage may be hung');
  }

  /** Closes the monitoring listener last, so that it answers until everything else is closed. */
  async onApplicationShutdown(): Promise<void> {
    this.parts.monitoring?.close();
    // Requests that were cut still report their end. The log is complete only after that.
    await idleWithin(this.parts.listeners, cutSeconds);
    for (const listener of this.#allListeners) listener.flushRecords();
  }

  get #allListeners(): readonly HttpListener[] {
    const { monitoring, listeners } = this.parts;
    return monitoring === undefined ? listeners : [monitoring, ...listeners];
  }
}

/** @returns false when something of them still runs at the end of the time */
async function idleWithin(
  parts: readonly Pick<BackgroundWork, 'running'>[],
  seconds: number,
): Promise<boolean> {
  const deadline = performance.now() + seconds * 1000;
  while (parts.some(({ running }) => running > 0)) {
    if (performance.now() >= deadline) return false;
    await delay(pollMilliseconds);
  }
  return true;
}
