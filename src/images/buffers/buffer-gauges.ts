import type { Sample, SampledGaugeOptions } from '../../observability/sampled-gauge.js';
import type { BufferPool, BufferSize, BufferStatistics } from './buffer-pool.js';

const sizes: readonly BufferSize[] = ['large', 'small'];

/** Show how much of the pool of answers that tell their digest is used. */
export function digestPoolGauges(pool: BufferPool): readonly SampledGaugeOptions[] {
  const gauge = (
    name: string,
    help: string,
    value: (statistics: BufferStatistics) => number,
  ): SampledGaugeOptions => ({
    name,
    help,
    // Such an answer is longer than a small buffer.
    read: () => [{ value: value(pool.statistics().large) }],
  });
  return [
    gauge(
      'imageio_digest_pool_bytes_in_use',
      'Memory of answers that tell their digest',
      ({ inUse }) => inUse * pool.bufferBytes,
    ),
    gauge(
      'imageio_digest_pool_bytes_max',
      'How much of it there can be, by [limits] digest_pool_bytes in pieces of digest_range_bytes',
      ({ countMax }) => countMax * pool.bufferBytes,
    ),
    gauge(
      'imageio_digest_pool_waiting',
      'Answers that wait for memory to tell their digest',
      ({ waiting }) => waiting,
    ),
  ];
}

/** Show how much of the buffer pool is used. */
export function bufferGauges(pool: BufferPool): readonly SampledGaugeOptions[] {
  const gauge = (
    name: string,
    help: string,
    value: (statistics: BufferStatistics) => number,
  ): SampledGaugeOptions => ({
    name,
    help,
    labelNames: ['size'],
    read: (): Sample[] => {
      const statistics = pool.statistics();
      return sizes.map((size) => ({ labels: { size }, value: value(statistics[size]) }));
    },
  });
  return [
    gauge('imageio_buffers_in_use', 'Buffers that transfers hold', ({ inUse }) => inUse),
    gauge('imageio_buffers_max', 'Buffers that there can be', ({ countMax }) => countMax),
    gauge('imageio_buffers_waiting', 'Steps of operations that wait for a buffer', ({ waiting }) => waiting),
  ];
}
