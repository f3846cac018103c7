import type { LimitsConfig } from '../../config/sections/limits.js';
import { blockSlackBytes } from './aligned-memory.js';
import { BufferPool } from './buffer-pool.js';

/** How `[limits] buffer_pool_bytes` is divided between threads, each of which has a pool of its own. */
export interface PoolParts {
  readonly mainBytes: number;
  /** Of each data worker. Where it has no room for a buffer, they read nothing. */
  readonly workerBytes: number;
}

type PoolLimits = Pick<LimitsConfig, 'bufferPoolBytes' | 'bufferBytes' | 'buffersPerTransfer'>;

/**
 * Data workers have one half, but leave the main thread what one transfer may take.
 * @param workers how many there are
 */
export function poolParts(limits: PoolLimits, workers: number): PoolParts {
  const { bufferPoolBytes, bufferBytes, buffersPerTransfer } = limits;
  const transferBytes = buffersPerTransfer * (bufferBytes + 2 * blockSlackBytes);
  const halfBytes = Math.floor(bufferPoolBytes / 2);
  const { small } = BufferPool.counts({ poolBytes: halfBytes, bufferBytes });
  if (workers === 0 || small === 0) return { mainBytes: bufferPoolBytes, workerBytes: 0 };
  const workersBytes = Math.max(0, Math.min(halfBytes, bufferPoolBytes - 2 * transferBytes));
  return {
    mainBytes: bufferPoolBytes - workersBytes,
    workerBytes: Math.floor(workersBytes / workers),
  };
}
