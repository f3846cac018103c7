import type { SampledGaugeOptions } from '../../observability/sampled-gauge.js';
import type { RelayBufferPool, RelayBufferStatistics } from './relay-buffer-pool.js';

/** Show how much of the memory for relayed bodies is used. */
export function relayBufferGauges(pool: RelayBufferPool): readonly SampledGaugeOptions[] {
  const gauge = (
    name: string,
    help: string,
    value: (statistics: RelayBufferStatistics) => number,
  ): SampledGaugeOptions => ({ name, help, read: () => [{ value: value(pool.statistics()) }] });
  return [
    gauge(
      'imageio_relay_buffer_bytes_in_use',
      'Memory that relayed bodies pass through, in use',
      ({ bytesInUse }) => bytesInUse,
    ),
    gauge(
      'imageio_relay_buffer_bytes_max',
      'Memory that relayed bodies pass through, at most',
      ({ bytesMax }) => bytesMax,
    ),
    gauge(
      'imageio_relay_buffers_waiting',
      'Relayed requests and transfers that wait for a buffer',
      ({ waiting }) => waiting,
    ),
  ];
}
