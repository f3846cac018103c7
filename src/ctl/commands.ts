import { createReadStream } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { ImageioError, TicketsClient, type Ticket } from '#sdk';
import { systemClock } from '../base/clock.js';
import { MiB } from '../base/units.js';
import type { Config } from '../config/config.js';
import type { Command } from './arguments.js';
import { CommandError } from './command-error.js';
import { controlEndpoint } from './control-endpoint.js';
import { requireDone, runCopy } from './copy-command.js';
import { CopyProgress, resultLine } from './copy-progress.js';
import { indentedJson } from './indented-json.js';
import { interruption } from './interruption.js';
import { signTicket } from './signed-ticket.js';
import { ticketLines, ticketTable } from './ticket-table.js';
import { WatchedTickets } from './watched-tickets.js';
import { errorMessage } from '../base/error-details.js';

const noProfiler =
  'there is no profiler to start or stop; the metrics tell where time goes, and NODE_OPTIONS=--cpu-prof ' +
  'in the environment of the service makes it write a profile of its code when it stops';

/**
 * The most bytes of a ticket, an id, a key or a certificate that are read. `[limits] json_body_bytes` of a
 * service, which bounds a ticket, is never larger, and the others have some KiB.
 */
const inputBytesMax = MiB;

const clearScreen = '\u001b[H\u001b[2J';

/**
 * Carries out a command and prints what it has to say.
 * @param given its id may be `-`, for the one that the standard input has
 * @param loadConfig asked only by commands that talk to the service
 * @param confDir where it reads
 */
export async function runCommand(given: Command, loadConfig: () => Config, confDir: string): Promise<void> {
  const command = await withIds(given);
  if (command.name === 'sign-ticket') {
    await printSignedTicket(command);
    return;
  }
  if (command.name === 'start-profile' || command.name === 'stop-profile') throw new CommandError(noProfiler);
  if (command.name === 'serve') {
    // It makes certificates, which no other command has to load the library for.
    const { serve } = await import('./serve/serve-command.js');
    await serve(command, loadConfig, confDir);
    return;
  }
  await using tickets = new TicketsClient(controlEndpoint(loadConfig()));
  switch (command.name) {
    case 'add-ticket':
      await tickets.put(await readTicket(command.file));
      return;
    case 'show-ticket':
      await show(tickets, command);
      return;
    case 'list-tickets':
      await list(tickets, command);
      return;
    case 'mod-ticket':
      await tickets.extend(command.id, command.timeoutSeconds);
      return;
    case 'del-ticket':
      await remove(tickets, command.id);
      return;
    case 'copy':
      await copy(tickets, command);
  }
}

/** With what the standard input has in place of `-`. */
async function withIds(given: Command): Promise<Command> {
  if ('id' in given) return given.id === '-' ? { ...given, id: await readId() } : given;
  if (given.name !== 'copy') return given;
  const { source, target } = given;
  return {
    ...given,
    source: source === '-' ? await readId() : source,
    target: target === '-' ? await readId() : target,
  };
}

async function copy(
  tickets: TicketsClient,
  { source, target, dirty, verify, output }: Extract<Command, { name: 'copy' }>,
): Promise<void> {
  const request = { source, target, dirty, verify };
  const job = await runCopy(tickets, request, new CopyProgress(process.stderr), interruption());
  if (output === 'json') print(json(job));
  requireDone(job);
  if (output === 'text') print(`${resultLine(job)}\n`);
}

/** As lines for people; for programs as JSON, which is what the Python tool prints. */
async function show(
  tickets: TicketsClient,
  { id, output = process.stdout.isTTY ? 'text' : 'json' }: Extract<Command, { name: 'show-ticket' }>,
): Promise<void> {
  if (output === 'text') print(ticketLines(await tickets.get(id)));
  else print(`${indentedJson(await tickets.getJson(id))}\n`);
}

/**
 * Removing is idempotent, so the service does not tell whether there was anything to remove. So the ticket
 * is asked for first: an operator who wants to stop a transfer must be told when there was none.
 */
async function remove(tickets: TicketsClient, id: string): Promise<void> {
  let unknown: ImageioError | undefined;
  try {
    await tickets.get(id);
  } catch (error: unknown) {
    if (!(error instanceof ImageioError && error.status === 404)) throw error;
    unknown = error;
  }
  await tickets.remove(id);
  if (unknown !== undefined) throw unknown;
}

async function list(
  tickets: TicketsClient,
  { output, watchSeconds }: Extract<Command, { name: 'list-tickets' }>,
): Promise<void> {
  if (watchSeconds === undefined) {
    const all = await tickets.list();
    print(output === 'json' ? json(all) : ticketTable(all, systemClock.monotonicSeconds()));
    return;
  }
  const stopped = interruption();
  const watched = new WatchedTickets(tickets, systemClock, stopped);
  for (;;) {
    const all = await watched.now();
    // One list a line, so that who reads a watched stream sees where each ends.
    if (output === 'json') print(`${JSON.stringify(all)}\n`);
    else print((process.stdout.isTTY ? clearScreen : '') + ticketTable(all, systemClock.monotonicSeconds()));
    await delay(watchSeconds * 1000, undefined, { signal: stopped }).catch((error: unknown) => {
      if (!stopped.aborted) throw error;
    });
    if (stopped.aborted) return;
  }
}

/** Only the id is checked, because the request needs it. The service checks all the rest. */
async function readTicket(file: string): Promise<Ticket> {
  const ticket = parse(file, await readText(file));
  if (typeof ticket !== 'object' || ticket === null || !('uuid' in ticket) || typeof ticket.uuid !== 'string')
    throw new CommandError(`${file}: not a ticket: it must be a JSON object with a "uuid"`);
  return ticket as Ticket;
}

/** The id of a ticket from the standard input, where no list of processes shows it. */
async function readId(): Promise<string> {
  const id = (await readText('-')).replace(/\r?\n$/, '');
  if (id.trim() === '') throw new CommandError('the standard input has no ticket id');
  if (/[\r\n]/.test(id))
    throw new CommandError('the standard input has more than the one line of a ticket id');
  return id;
}

async function readText(file: string): Promise<string> {
  const [name, input] = file === '-' ? ['the standard input', process.stdin] : [file, createReadStream(file)];
  const chunks: Buffer[] = [];
  let lengthBytes = 0;
  try {
    // Counted as it comes: a pipe or a device may never end.
    for await (const chunk of input as AsyncIterable<Buffer>) {
      lengthBytes += chunk.length;
      if (lengthBytes > inputBytesMax) throw new CommandError(`${name} has more than ${inputBytesMax} bytes`);
      chunks.push(chunk);
    }
  } catch (error: unknown) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(`${name}: ${errorMessage(error)}`, { cause: error });
  }
  return Buffer.concat(chunks).toString();
}

function parse(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error: unknown) {
    throw new CommandError(`${file}: not valid JSON`, { cause: error });
  }
}

async function printSignedTicket(command: Extract<Command, { name: 'sign-ticket' }>): Promise<void> {
  const { id: ticketId, imagedUri, keyFile, certFile, lifetimeSeconds } = command;
  const [keyPem, certPem] = await Promise.all([readText(keyFile), readText(certFile)]);
  const now = new Date();
  print(`${signTicket({ ticketId, imagedUri, keyPem, certPem, lifetimeSeconds, now })}\n`);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function print(text: string): void {
  process.stdout.write(text);
}
