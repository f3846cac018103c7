import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ImageClient, ImageioError, TicketsClient, type TicketInfo } from '#sdk';
import { errorMessage } from '../../base/error-details.js';
import type { Config } from '../../config/config.js';
import { defaultConfDir } from '../../config/default-conf-dir.js';
import type { Command } from '../arguments.js';
import { CommandError } from '../command-error.js';
import { interruption } from '../interruption.js';
import { PrivateDaemon } from './private-daemon.js';
import { findRunningDaemon } from './running-daemon.js';
import { offerJson, offerText } from './serve-lines.js';
import { ServeProgress } from './serve-progress.js';
import { ServedDisk } from './served-disk.js';
import type { ServingDaemon } from './serving-daemon.js';

type ServeCommand = Extract<Command, { name: 'serve' }>;

const lookMilliseconds = 1000;
/** Who has moved all bytes may still flush them and ask for digests. */
const quietSecondsAtEnd = 3;
/** Of a ticket whose operations are waited for when it is removed. */
const removalTriesMax = 10;

/** Why serving ended. */
type Ending = 'complete' | 'unused' | 'interrupted' | 'expired' | 'removed';

/**
 * Serves one disk until it was moved, it was asked to end, or its time is over. What it has started and added
 * is gone then.
 * @param confDir where `loadConfig` reads; a host without it has no daemon
 * @throws CommandError, or ImageioError when the daemon refuses
 */
export async function serve(command: ServeCommand, loadConfig: () => Config, confDir: string): Promise<void> {
  const stopped = interruption();
  const { path, format, writable, bitmap, ttlSeconds } = command;
  await using daemon = await chooseDaemon(command, loadConfig, confDir);
  await using disk = await ServedDisk.open({ path, format, writable, bitmap, userId: daemon.userId });
  await using tickets = new TicketsClient(daemon.control);
  const id = randomUUID();
  const expires = new Date(Date.now() + ttlSeconds * 1000);
  await tickets.put({
    uuid: id,
    size: disk.sizeBytes,
    url: disk.url,
    // Who may write may read as well; a ticket of both does not count what is transferred.
    ops: [writable ? 'write' : 'read'],
    timeout: ttlSeconds,
    sparse: true,
    dirty: bitmap !== undefined,
    transfer_id: 'ovirt-imageioctl serve',
  });
  const progress = new ServeProgress(process.stderr);
  let last: TicketInfo | undefined;
  try {
    await checkServed(daemon, id);
    const transferUrl = `${daemon.imagesUrl}/images/${id}`;
    const offer = { disk, transferUrl, cafile: daemon.cafile, writable, bitmap, expires };
    process.stdout.write(command.output === 'json' ? offerJson(offer) : offerText(offer));
    const watch = { tickets, id, idleSeconds: command.idleSeconds, expires, stopped };
    const ending = await watchTicket(watch, (ticket) => {
      last = ticket;
      progress.show(ticket);
    });
    report(ending, last);
  } finally {
    progress.end(last);
    await remove(tickets, id);
  }
}

async function chooseDaemon(
  { host, port, ttlSeconds, isPrivate }: ServeCommand,
  loadConfig: () => Config,
  confDir: string,
): Promise<ServingDaemon> {
  const isUnconfigured = confDir === defaultConfDir && !existsSync(join(confDir, 'conf.d'));
  const running = isPrivate || isUnconfigured ? undefined : await findRunningDaemon(loadConfig(), host);
  if (running === undefined)
    return PrivateDaemon.start({ host, port: port ?? 0, lifetimeSeconds: ttlSeconds });
  if (port !== undefined)
    throw new CommandError('a daemon runs, whose port is in its configuration: no --port');
  return running;
}

/** Looks through the url that is offered, so that what does not work is known before somebody tries. */
async function checkServed({ imagesUrl: baseUrl, cafile }: ServingDaemon, id: string): Promise<void> {
  const ca = cafile === undefined ? {} : { ca: await readFile(cafile, 'utf8') };
  await using image = new ImageClient({ baseUrl, ...ca }, id);
  try {
    const { findings } = await image.preflight();
    const errors = findings.filter(({ severity }) => severity === 'error');
    if (errors.length > 0) throw new CommandError(errors.map(({ message }) => message).join('; '));
  } catch (error: unknown) {
    if (error instanceof CommandError || error instanceof ImageioError) throw error;
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    process.stderr.write(
      `ovirt-imageioctl: warning: this host itself does not reach it (${errorMessage(cause)}): ` +
        '--host names it as clients know it\n',
    );
  }
}

interface Watch {
  readonly tickets: TicketsClient;
  readonly id: string;
  readonly idleSeconds: number;
  readonly expires: Date;
  readonly stopped: AbortSignal;
}

async function watchTicket(
  { tickets, id, idleSeconds, expires, stopped }: Watch,
  onTicket: (ticket: TicketInfo) => void,
): Promise<Ending> {
  let isUsed = false;
  for (;;) {
    if (stopped.aborted) return 'interrupted';
    if (Date.now() >= expires.getTime()) return 'expired';
    let ticket: TicketInfo;
    try {
      ticket = await tickets.get(id);
    } catch (error: unknown) {
      if (error instanceof ImageioError && error.status === 404) return 'removed';
      throw error;
    }
    onTicket(ticket);
    const { transferred = 0, size, active, idle_time: idle } = ticket;
    isUsed ||= transferred > 0;
    if (active) isUsed = true;
    else if (size > 0 && transferred >= size && idle >= quietSecondsAtEnd) return 'complete';
    // A client that leaves out zeroes does not come to the size.
    else if (isUsed && idle >= idleSeconds) return 'unused';
    await delay(lookMilliseconds, undefined, { signal: stopped }).catch(() => undefined);
  }
}

/** @throws CommandError unless whoever uses it can be content */
function report(ending: Ending, ticket: TicketInfo | undefined): void {
  switch (ending) {
    case 'complete':
    case 'unused':
      return;
    case 'interrupted':
      if (ticket?.active === true) throw new CommandError('interrupted while the disk was transferred');
      return;
    case 'expired':
      throw new CommandError('the time is over: --ttl gives more');
    case 'removed':
      throw new CommandError('somebody has removed the ticket');
  }
}

/** Nothing is read or written any more when it returns. */
async function remove(tickets: TicketsClient, id: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await tickets.remove(id);
      return;
    } catch (error: unknown) {
      // Storage that does not answer holds the ticket.
      const isHeld = error instanceof ImageioError && error.status === 409;
      if (!isHeld || tries === removalTriesMax) throw error;
    }
  }
}
