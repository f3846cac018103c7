import type { Exchange } from '../../wire/exchange.js';

export interface ResponseHead {
  readonly status: number;
  readonly headers: Record<string, string>;
}

/** Storage that answers does so in less, and a client that has gone is noticed within a second or two. */
const slowStorageMilliseconds = 1000;

/**
 * Waits for the first data of an answer. Until it is there a failure of storage still gets its own status, so
 * the head goes out with it. A client that has closed its side meanwhile may have gone: it gets the head as
 * soon as storage is slow, since over TCP only what is sent to it shows whether it is there.
 * @throws what `reading` rejects with
 */
export async function firstData<T>(exchange: Exchange, head: ResponseHead, reading: Promise<T>): Promise<T> {
  const { request, response, clientAddress } = exchange;
  const probe = setInterval(() => {
    if (!request.socket.readableEnded || response.headersSent || clientAddress === undefined) return;
    response.writeHead(head.status, head.headers);
    response.flushHeaders();
  }, slowStorageMilliseconds);
  try {
    return await reading;
  } finally {
    clearInterval(probe);
  }
}
