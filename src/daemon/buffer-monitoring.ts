import type { BufferPool, BufferSize, BufferStatistics } from '../images/backends/buffer-pool.js';
import type { Metrics } from '../observability/metrics.js';
import type { Sample } from '../observability/sampled-gauge.js';

const sizes: readonly BufferSize[] = ['large', 'small'];

/** Shows how much of the buffer pool is used. */
export function showBuffers(metrics: Metrics, pool: BufferPool): void {
  const show = (name: string, help: string, value: (statistics: BufferStatistics) => number): void => {
    metrics.sample({
      name,
      help,
      labelNames: ['size'],
      read: (): Sample[] => {
        const statistics = pool.statistics();
        return sizes.map((size) => ({ labels: { size }, value: value(statistics[size]) }));
      },
    });
  };
  show('imageio_buffers_in_use', 'Buffers that transfers hold', ({ inUse }) => inUse);
  show('imageio_buffers_max', 'Buffers that there can be', ({ countMax }) => countMax);
  show('imageio_buffers_waiting', 'Steps of operations that wait for a buffer', ({ waiting }) => waiting);
}
