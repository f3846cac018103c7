import { EarlyHead, type EarlyHeadTimes } from '../../wire/early-head.js';
import type { Exchange } from '../../wire/exchange.js';
import type { ImageRequest } from '../access/image-request.js';

/** A daemon of ours sends its own head before; others send none until all is done. */
const relayedTimes: EarlyHeadTimes = { headAfterMs: 900, textWaitsMs: 1000, spaceEachMs: 5000 };

/**
 * That there are no dirty extents is a refusal which clients go on with. A daemon says it as soon as it has
 * opened the image, so it has this long; only then does a client that would give up count for more.
 */
const dirtyTimes: EarlyHeadTimes = { ...relayedTimes, headAfterMs: 15_000 };

/** What clients asked before there were early heads, and with what answers in JSON alone. */
const plainParameters: ReadonlySet<string> = new Set(['context', 'algorithm', 'block_size']);

/**
 * The head that the proxy sends on its own while a daemon works and sends none (docs/protocol.md, "Early
 * heads").
 * @returns undefined for requests that may be answered otherwise than by 200 and JSON after all
 */
export function relayedEarlyHead(
  exchange: Exchange,
  { hasEarlyHead, query }: Pick<ImageRequest, 'hasEarlyHead' | 'query'>,
): EarlyHead | undefined {
  const { method, headers } = exchange.request;
  const parameters = new URLSearchParams(query);
  const isPlain = [...parameters.keys()].every((name) => plainParameters.has(name));
  if (!hasEarlyHead || method !== 'GET' || !isPlain) return undefined;
  if (headers.prefer !== undefined || headers.accept?.includes('ndjson') === true) return undefined;
  const times = parameters.get('context') === 'dirty' ? dirtyTimes : relayedTimes;
  return new EarlyHead(exchange, { 'Content-Type': 'application/json' }, times);
}
