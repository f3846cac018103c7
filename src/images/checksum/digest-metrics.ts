import type { SampledGaugeOptions } from '../../observability/sampled-gauge.js';
import type { KeptDigests } from './kept-digests.js';

/** Show how many digests are kept, and what that saves. */
export function digestMetrics(kept: KeptDigests): readonly SampledGaugeOptions[] {
  return [
    {
      name: 'imageio_kept_digests',
      help: 'Blocks of images whose digests are kept',
      read: () => [{ value: kept.count }],
    },
    {
      name: 'imageio_kept_digests_max',
      help: 'How many there may be: [limits] kept_digests',
      read: () => [{ value: kept.countMax }],
    },
    {
      name: 'imageio_kept_digests_image_bytes',
      help: 'Bytes of images that need not be read for a checksum by the digests that are kept',
      read: () => [{ value: kept.coveredBytes }],
    },
    {
      name: 'imageio_digested_bytes_total',
      help: 'Bytes of images whose digests were told: kept ones, those of zeroes by their extents, or read',
      labelNames: ['source'],
      isCounter: true,
      read: () =>
        Object.entries(kept.statistics.bytes).map(([source, value]) => ({ labels: { source }, value })),
    },
  ];
}
