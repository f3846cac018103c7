import type { Address } from './address.js';
import { exchange, type Answer } from './exchange.js';

/** A ticket as vdsm adds it, in wire names (docs/protocol.md, "Adding a ticket"). */
export interface TicketDocument {
  readonly uuid: string;
  readonly size: number;
  readonly ops: readonly ('read' | 'write')[];
  /** Seconds. */
  readonly timeout: number;
  readonly url: string;
  readonly transfer_id?: string;
  readonly inactivity_timeout?: number;
  readonly filename?: string;
  readonly sparse?: boolean;
  readonly dirty?: boolean;
}

/** What GET /tickets/{id} tells. */
export interface TicketInfo {
  readonly uuid: string;
  readonly size: number;
  readonly ops: readonly string[];
  readonly timeout: number;
  readonly url: string;
  readonly expires: number;
  readonly active: boolean;
  readonly canceled: boolean;
  readonly connections: number;
  readonly idle_time: number;
  readonly inactivity_timeout: number;
  readonly sparse: boolean;
  readonly dirty: boolean;
  readonly transfer_id: string;
  readonly filename?: string;
  readonly transferred?: number;
}

/** The control service answered with an error; told in vdsm's words. */
export class DaemonError extends Error {
  constructor(readonly answer: Answer) {
    super(`status=${answer.status}, reason=${answer.reason}, error=${answer.text.trimEnd()}`);
    this.name = 'DaemonError';
  }
}

/**
 * Plays the part of vdsm at a control service: a new connection for each call, `Host: localhost`, no
 * Content-Type, and any status below 300 taken for success.
 */
export class Vdsm {
  constructor(private readonly control: Exclude<Address, { kind: 'tls' }>) {}

  /** @param ticket an object, or JSON text as it is for what a JavaScript number cannot say */
  async addTicket(ticket: TicketDocument | string, ticketId = uuidOf(ticket)): Promise<void> {
    await this.call(
      'PUT',
      ticketPath(ticketId),
      typeof ticket === 'string' ? ticket : JSON.stringify(ticket),
    );
  }

  async getTicket(ticketId: string): Promise<TicketInfo> {
    const answer = await this.call('GET', ticketPath(ticketId));
    return JSON.parse(answer.text) as TicketInfo;
  }

  async listTickets(): Promise<TicketInfo[]> {
    const answer = await this.call('GET', '/tickets/');
    return JSON.parse(answer.text) as TicketInfo[];
  }

  async extendTicket(ticketId: string, timeoutSeconds: number): Promise<void> {
    await this.call('PATCH', ticketPath(ticketId), JSON.stringify({ timeout: timeoutSeconds }));
  }

  async removeTicket(ticketId: string): Promise<void> {
    await this.call('DELETE', ticketPath(ticketId));
  }

  /** Sends any request and returns the answer whatever its status. The path is sent as it is. */
  async request(method: string, path: string, body?: string): Promise<Answer> {
    const where =
      this.control.kind === 'unix'
        ? { socketPath: this.control.path }
        : { host: '127.0.0.1', port: this.control.port };
    const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
    return exchange({
      tls: false,
      options: {
        ...where,
        method,
        path,
        agent: false,
        headers: { Host: 'localhost', 'Accept-Encoding': 'identity', ...length },
      },
      ...(body === undefined ? {} : { body }),
    });
  }

  private async call(method: string, path: string, body?: string): Promise<Answer> {
    const answer = await this.request(method, path, body);
    if (answer.status >= 300) throw new DaemonError(answer);
    return answer;
  }
}

function ticketPath(ticketId: string): string {
  return `/tickets/${encodeURIComponent(ticketId)}`;
}

function uuidOf(ticket: TicketDocument | string): string {
  return (typeof ticket === 'string' ? (JSON.parse(ticket) as TicketDocument) : ticket).uuid;
}
