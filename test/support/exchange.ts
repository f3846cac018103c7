import {
  request as httpRequest,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { patienceMs, within } from './deadline.js';

/** A whole response, body included. */
export interface Answer {
  readonly status: number;
  /** The reason phrase. */
  readonly reason: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The body as text. */
  readonly text: string;
}

export interface Exchange {
  readonly tls: boolean;
  /** As for node:https: host, port or socketPath, method, path, headers, agent, ca, … */
  readonly options: RequestOptions;
  readonly body?: Readable | Uint8Array | string;
  /**
   * Waits for `100 Continue` before the body; the options need an `Expect` header. A
   * refusal instead ends the request.
   */
  readonly expectContinue?: boolean;
  readonly deadlineMs?: number;
}

/**
 * Sends one request and reads the answer to its end. A body that was refused in the middle
 * is no error: its answer counts.
 */
export async function exchange(request: Exchange): Promise<Answer> {
  const response = await openExchange(request);
  return deadlined(wholeAnswer(response), request, response);
}

/** Reads a response to its end. */
export async function wholeAnswer(response: IncomingMessage): Promise<Answer> {
  const body = await buffer(response);
  return {
    status: response.statusCode ?? 0,
    reason: response.statusMessage ?? '',
    headers: response.headers,
    body,
    get text() {
      return body.toString('utf8');
    },
  };
}

/**
 * Sends one request and resolves with the response as soon as its head is there; the
 * caller reads or destroys it.
 */
export async function openExchange(request: Exchange): Promise<IncomingMessage> {
  const send = request.tls ? httpsRequest : httpRequest;
  const outgoing = send(request.options);
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.on('error', reject);
  });
  if (request.expectContinue === true) {
    outgoing.once('continue', () => {
      sendBody(outgoing, request.body, answered);
    });
    outgoing.flushHeaders();
  } else {
    sendBody(outgoing, request.body, answered);
  }
  const response = await deadlined(answered, request, outgoing);
  // Answered before the body was sent: its request will never be complete, so the
  // connection is not used again.
  if (request.expectContinue === true && !outgoing.writableEnded)
    response.once('end', () => outgoing.destroy());
  return response;
}

function sendBody(outgoing: ClientRequest, body: Exchange['body'], answered: Promise<IncomingMessage>): void {
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
    outgoing.end(body);
    return;
  }
  pipeline(body, outgoing).catch((error: unknown) => {
    // Either the file could not be read, or the connection broke: an answer that came
    // before counts more than that.
    answered.catch(() => undefined);
    outgoing.destroy(error instanceof Error ? error : new Error(String(error)));
  });
}

async function deadlined<T>(
  promise: Promise<T>,
  request: Exchange,
  connection: { destroy(): unknown },
): Promise<T> {
  const { method = 'GET', path = '/' } = request.options;
  try {
    return await within(promise, `the answer to ${method} ${path}`, {
      deadlineMs: request.deadlineMs ?? patienceMs,
    });
  } catch (error) {
    connection.destroy();
    throw error;
  }
}
