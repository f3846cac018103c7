import type { Sample, SampledGaugeOptions } from '../../observability/sampled-gauge.js';
import type { BufferPool, BufferSize, BufferStatistics } from './buffer-pool.js';

const sizes: readonly BufferSize[] = ['large', 'small'];

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
