import { once } from 'node:events';
import { KiB } from '../base/units.js';
import { abortable } from '../base/abortable.js';
import type { Exchange } from './exchange.js';

/**
 * Lists shorter than this are sent whole, with `Content-Length`; longer ones are streamed in pieces of this
 * length.
 */
const pieceCharacters = 64 * KiB;

const jsonType = { 'Content-Type': 'application/json' };

/**
 * Answers with a JSON list of what `lists` have one after the other. It is made while it is sent, so that a
 * long one neither is in memory as a whole nor keeps other requests waiting.
 * @throws the reason of the exchange's signal
 */
export async function sendJsonList(
  exchange: Exchange,
  lists: AsyncIterable<readonly object[]>,
): Promise<void> {
  const { response, signal } = exchange;
  exchange.settleFraming();
  let piece = '[';
  let separator = '';
  for await (const list of lists) {
    signal.throwIfAborted();
    for (const item of list) {
      piece += separator + JSON.stringify(item);
      separator = ',';
    }
    if (piece.length < pieceCharacters) continue;
    if (!response.headersSent) response.writeHead(200, jsonType);
    if (!response.write(piece)) await exchange.waitForClient(abortable(once(response, 'drain'), signal));
    piece = '';
  }
  piece += ']';
  if (response.headersSent) response.end(piece);
  else exchange.send(200, jsonType, piece);
}
