import { randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import type { TransferState } from '#sdk/transfer';
import { errorCode } from '../../src/base/error-details.js';
import { assertSameImage, writeRandomImage, writeSparseImage } from '../support/images.js';
import type { CrashPlan, Victim } from './crash-plan.js';
import type { CrashWorld } from './crash-world.js';
import { makeStorage, type Storage } from './storage.js';

/** More often than anybody would, so that at most kills something is durable and something is not. */
const checkpointSeconds = 0.25;

/**
 * A client that has to be given another ticket waits in vain until it gives up: about 12 s so, and a minute
 * and a half by default. Everything is away for less.
 */
const retriesInVain = 6;

/** One image, the file that it is moved from or to, and its ticket. */
export class CrashScene implements AsyncDisposable {
  #ticketId: string = randomUUID();
  #isTicketThere = false;
  #signedTicket: string | undefined;

  private constructor(
    private readonly world: CrashWorld,
    private readonly plan: CrashPlan,
    private readonly storage: Storage,
    /** What is to be on the image, or is on it. */
    private readonly original: string,
    /** Of this host: the original or what it is downloaded to. */
    private readonly file: string,
    private readonly statePath: string,
  ) {}

  static async prepare(world: CrashWorld, plan: CrashPlan, run: number): Promise<CrashScene> {
    const original = world.workspace.path(`original-${run}`);
    const seed = Buffer.alloc(16, run);
    const isUpload = plan.direction === 'upload';
    const fill = async (path: string): Promise<void> => {
      if (!isUpload) await writeSparseImage(path, plan.sizeBytes, plan.data, seed);
      else if (plan.isDirty) await writeRandomImage(path, plan.sizeBytes);
      else await writeSparseImage(path, plan.sizeBytes, []);
    };
    await writeSparseImage(original, plan.sizeBytes, plan.data, seed);
    const storage = await makeStorage(plan.storage, world.workspace, { name: `image-${run}`, fill });
    const file = isUpload ? original : world.workspace.path(`copy-${run}`);
    if (!isUpload && plan.isDirty) await writeRandomImage(file, plan.sizeBytes);
    return new CrashScene(world, plan, storage, original, file, world.workspace.path(`state-${run}`));
  }

  /** The arguments of the client, which are the same each time, unless the ticket is another one. */
  async command(): Promise<readonly string[]> {
    const { direction, throughProxy, workers, verifies, bytesPerSecond, isDirty } = this.plan;
    await this.#provideTicket();
    const image = throughProxy ? this.world.proxyUrl : `${this.world.relay.url}/images/${this.#ticketId}`;
    const places = direction === 'upload' ? [this.file, image] : [image, this.file];
    return [
      direction,
      ...places,
      ...['--cafile', this.world.caFile, '--state', this.statePath, '--output', 'json'],
      ...['--buffer-size', '1m', '--max-workers', String(workers), '--checkpoint', String(checkpointSeconds)],
      ...['--limit-rate', String(bytesPerSecond)],
      ...(direction === 'upload' ? ['--format', 'raw'] : isDirty ? ['--overwrite'] : []),
      ...(verifies ? ['--verify'] : []),
      ...(this.#mayLoseTicket ? ['--retries', String(retriesInVain)] : []),
      ...(this.#signedTicket === undefined ? [] : ['--signed-ticket', this.#signedTicket]),
    ];
  }

  async kill(victim: Exclude<Victim, 'client'>, signal: NodeJS.Signals): Promise<void> {
    const killed: Promise<void>[] = [];
    if (victim === 'storage' || victim === 'host') killed.push(this.storage.kill());
    if (victim === 'daemon' || victim === 'host') killed.push(this.world.kill('daemon', signal));
    if (victim === 'proxy') killed.push(this.world.kill('proxy', signal));
    await Promise.all(killed);
  }

  async startAgain(victim: Exclude<Victim, 'client'>): Promise<void> {
    if (victim === 'storage' || victim === 'host') await this.storage.start();
    if (victim === 'proxy') await this.world.startAgain('proxy');
    if (victim !== 'daemon' && victim !== 'host') return;
    await this.world.startAgain('daemon');
    if (this.plan.keepsTickets) return;
    this.#isTicketThere = false;
    if (this.plan.newTicket === 'same at once') await this.#provideTicket();
  }

  /** What the client remembers; undefined when it remembers nothing. */
  async state(): Promise<TransferState | undefined> {
    try {
      return JSON.parse(await readFile(this.statePath, 'utf8')) as TransferState;
    } catch (error: unknown) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** How storage ended, unless it runs as it should. */
  get storageEnd(): string | undefined {
    return this.storage.end;
  }

  /** @throws when what was moved is not there, all of it and on stable storage */
  async compare(): Promise<void> {
    if (this.plan.direction === 'upload') await this.storage.compare(this.original);
    else await assertSameImage(this.file, this.original);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isTicketThere) await this.world.removeTicket(this.#ticketId).catch(() => undefined);
    await this.storage.remove();
    for (const path of [this.original, this.file, this.statePath]) await rm(path, { force: true });
  }

  get #mayLoseTicket(): boolean {
    return !this.plan.keepsTickets && this.plan.newTicket !== 'same at once';
  }

  async #provideTicket(): Promise<void> {
    const { direction, newTicket, sizeBytes, throughProxy } = this.plan;
    if (this.#isTicketThere) return;
    if (newTicket === 'another') this.#ticketId = randomUUID();
    const operation = direction === 'upload' ? 'write' : 'read';
    await this.world.addTicket(this.#ticketId, operation, this.storage.url, sizeBytes);
    this.#isTicketThere = true;
    if (throughProxy) this.#signedTicket = await this.world.signedTicket(this.#ticketId);
  }
}
