import type { RequestedRange } from '../http/content-range.js';
import type { Exchange } from '../http/exchange.js';
import type { Ticket } from '../tickets/ticket.js';
import type { ByteRange } from '../units.js';
import type { BufferPool } from './backends/buffer-pool.js';
import { BufferSet } from './buffer-set.js';
import { contentDisposition } from './content-disposition.js';
import { DataSender } from './data-sender.js';
import type { OperationContext, OperationRunner } from './operation-runner.js';
import { resolveRange } from '../tickets/range-check.js';
import { type Piece, ReadAhead } from './read-ahead.js';

/** Storage that answers does so in less, and a client that has gone is noticed within a second or two. */
const slowStorageMilliseconds = 1000;

export interface ReadRequest {
  readonly ticketId: string;
  readonly range: RequestedRange | undefined;
  readonly close: boolean;
}

/** GET and HEAD /images/{id}: storage is read ahead while what was read drains to the client. */
export class ReadHandler {
  constructor(
    private readonly runner: OperationRunner,
    private readonly pool: BufferPool,
    private readonly buffersMax: number,
  ) {}

  async handle(exchange: Exchange, request: ReadRequest): Promise<void> {
    const { ticketId, range } = request;
    await this.runner.run(
      exchange,
      {
        ticketId,
        access: 'read',
        kind: 'read',
        check: (ticket) => {
          if (range !== undefined) resolveRange(range, ticket.sizeBytes, 'ticket');
        },
      },
      async (context) => {
        const { ticket, backend } = context;
        const availableBytes = Math.min(ticket.sizeBytes, await backend.sizeBytes(endOf(range)));
        const part =
          range === undefined
            ? { offsetBytes: 0, lengthBytes: availableBytes }
            : resolveRange(range, availableBytes, availableBytes < ticket.sizeBytes ? 'image' : 'ticket');
        const head = responseHead(ticket, part, range !== undefined);
        exchange.logFields['offset'] = part.offsetBytes;
        exchange.logFields['length'] = part.lengthBytes;
        exchange.settleFraming();
        if (request.close) exchange.closeAfterResponse();
        if (exchange.request.method === 'HEAD') {
          exchange.response.writeHead(head.status, head.headers).end();
          return;
        }
        await this.#send(exchange, context, part, head);
      },
    );
  }

  async #send(
    exchange: Exchange,
    { backend, operation }: OperationContext,
    part: ByteRange,
    head: ResponseHead,
  ): Promise<void> {
    if (part.lengthBytes === 0) {
      exchange.send(head.status, head.headers);
      return;
    }
    const buffers = await BufferSet.acquire(this.pool, {
      lengthBytes: part.lengthBytes,
      countMax: Math.min(this.buffersMax, backend.inFlightMax + 1),
      signal: operation.signal,
    });
    const ahead = new ReadAhead(backend, buffers, part);
    const sender = new DataSender(exchange, { signal: operation.signal, amongMany: buffers.amongMany });
    try {
      for (let sentBytes = 0; sentBytes < part.lengthBytes;) {
        const { buffer, data } = await (sentBytes === 0 ? firstPiece(exchange, ahead, head) : ahead.next());
        operation.signal.throwIfAborted();
        if (!exchange.response.headersSent) exchange.response.writeHead(head.status, head.headers);
        const range = { offsetBytes: part.offsetBytes + sentBytes, lengthBytes: data.length };
        sentBytes += data.length;
        await sender.send(data, sentBytes === part.lengthBytes);
        operation.progress(range);
        ahead.recycle(buffer);
      }
    } catch (error: unknown) {
      // A response that has begun is cut, which also makes the socket let go of the buffer it is sending from.
      if (exchange.response.headersSent) exchange.connection.destroy();
      throw error;
    } finally {
      await sender.finish();
      await ahead.idle();
      buffers.release();
    }
  }
}

/**
 * Until the first data is there a failure of storage still gets its own status, so the head goes out with
 * that. A client that has closed its side meanwhile may have gone: it gets the head as soon as storage is
 * slow, since over TCP only what is sent to it shows whether it is there.
 */
async function firstPiece(exchange: Exchange, ahead: ReadAhead, head: ResponseHead): Promise<Piece> {
  const { request, response, clientAddress } = exchange;
  const probe = setInterval(() => {
    if (!request.socket.readableEnded || response.headersSent || clientAddress === undefined) return;
    response.writeHead(head.status, head.headers);
    response.flushHeaders();
  }, slowStorageMilliseconds);
  try {
    return await ahead.next();
  } finally {
    clearInterval(probe);
  }
}

/** Exclusive; undefined when only the size of the image says where the range ends. */
function endOf(range: RequestedRange | undefined): number | undefined {
  return range === undefined || 'suffixLength' in range || range.last === undefined
    ? undefined
    : range.last + 1;
}

interface ResponseHead {
  readonly status: number;
  readonly headers: Record<string, string>;
}

function responseHead({ definition }: Ticket, part: ByteRange, partial: boolean): ResponseHead {
  const headers: Record<string, string> = {
    'Content-Type': 'application/octet-stream',
    'Content-Length': String(part.lengthBytes),
    'Accept-Ranges': 'bytes',
    'Content-Disposition': contentDisposition(definition.filename),
  };
  if (!partial) return { status: 200, headers };
  const last = part.offsetBytes + part.lengthBytes - 1;
  headers['Content-Range'] = `bytes ${part.offsetBytes}-${last}/${definition.size}`;
  return { status: 206, headers };
}
