import type { Sample, SampledGaugeOptions } from '../../observability/sampled-gauge.js';
import type { BufferPool, BufferSize, BufferStatistics } from './buffer-pool.js';

const sizes: readonly BufferSize[] = ['large', 'small'];

type Figure = (statistics: Pick<BufferStatistics, 'countMax' | 'inUse' | 'waiting'>) => number;

/** What there is of buffers, and how much is used. */
export interface BufferUse {
  statistics(): Readonly<Record<BufferSize, Pick<BufferStatistics, 'countMax' | 'inUse' | 'waiting'>>>;
}

/** Show how much of the pool of answers that tell their digest is used. */
export function digestPoolGauges(pool: BufferPool): readonly SampledGaugeOptions[] {
  // Such an answer is longer than a small buffer.
  const value = (figure: Figure): number => figure(pool.statistics().large);
  return [
    {
      name: 'imageio_digest_pool_bytes_in_use',
      help: 'Memory of answers that tell their digest',
      read: () => [{ value: value(({ inUse }) => inUse * pool.bufferBytes) }],
    },
    {
      name: 'imageio_digest_pool_bytes_max',
      help: 'How much of it there can be, by [limits] digest_pool_bytes in pieces of digest_range_bytes',
      read: () => [{ value: value(({ countMax }) => countMax * pool.bufferBytes) }],
    },
    {
      name: 'imageio_digest_pool_waiting',
      help: 'Answers that wait for memory to tell their digest',
      read: () => [{ value: value(({ waiting }) => waiting) }],
    },
  ];
}

/** Show how much of the buffer pools is used. @param pools tells those of all threads */
export function bufferGauges(pools: () => readonly BufferUse[]): readonly SampledGaugeOptions[] {
  const gauge = (name: string, help: string, figure: Figure): SampledGaugeOptions => ({
    name,
    help,
    labelNames: ['size'],
    read: (): Sample[] => {
      const statistics = pools().map((pool) => pool.statistics());
      return sizes.map((size) => ({
        labels: { size },
        value: statistics.reduce((sum, { [size]: one }) => sum + figure(one), 0),
      }));
    },
  });
  return [
    gauge('imageio_buffers_in_use', 'Buffers that transfers hold', ({ inUse }) => inUse),
    gauge('imageio_buffers_max', 'Buffers that there can be', ({ countMax }) => countMax),
    gauge('imageio_buffers_waiting', 'Steps of operations that wait for a buffer', ({ waiting }) => waiting),
  ];
}
