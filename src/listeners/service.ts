import { setTimeout as delay } from 'node:timers/promises';
import { UnavailableError } from '../errors.js';
import type { HttpApplication } from '../http/http-application.js';
import type { Logger } from '../logger.js';
import type { HttpListener } from './http-listener.js';

export interface ServiceParts {
  readonly applications: readonly HttpApplication[];
  readonly listeners: readonly HttpListener[];
  /** What else was opened, closed at the end of a stop. */
  readonly resources?: readonly { close(): void | Promise<void> }[];
  /** How long running requests may go on after a stop was asked for. */
  readonly graceSeconds: number;
}

const pollMilliseconds = 20;
// After their requests were cancelled operations still wait for the I/O in flight; storage that hangs must not hang the stop.
const cancelSeconds = 5;

/** A running role: its listeners and applications, started and stopped together. */
export class Service {
  constructor(
    private readonly parts: ServiceParts,
    private readonly logger: Logger,
  ) {}

  /** Binds every listener; when one fails, none stays bound. @throws Error naming the listener */
  async open(): Promise<void> {
    try {
      for (const listener of this.parts.listeners) await listener.open();
    } catch (error: unknown) {
      for (const listener of this.parts.listeners) listener.close();
      throw error;
    }
  }

  get addresses(): { readonly name: string; readonly address: string }[] {
    return this.parts.listeners.map(({ name, address }) => ({ name, address }));
  }

  get controlSocketPath(): string | undefined {
    const address = this.parts.listeners.find(({ name }) => name === 'control')?.unixAddress;
    return address?.kind === 'path' ? address.address : undefined;
  }

  /** Lets running requests end within the grace period, cancels the rest and closes everything. */
  async stop(): Promise<void> {
    const { listeners, applications, resources = [], graceSeconds } = this.parts;
    for (const listener of listeners) listener.drain();
    await this.#idleWithin(graceSeconds);
    for (const listener of listeners)
      listener.abort(new UnavailableError('The service is stopping', graceSeconds));
    if (!(await this.#idleWithin(cancelSeconds))) this.logger.warn('Requests still run, storage may be hung');
    for (const listener of listeners) listener.close();
    for (const application of applications) await application.close();
    for (const resource of resources) await resource.close();
  }

  async #idleWithin(seconds: number): Promise<boolean> {
    const deadline = performance.now() + seconds * 1000;
    while (this.parts.listeners.some(({ running }) => running > 0)) {
      if (performance.now() >= deadline) return false;
      await delay(pollMilliseconds);
    }
    return true;
  }
}
