import type { SampledGaugeOptions } from '../observability/sampled-gauge.js';
import type { EventStreams } from '../wire/event-stream.js';

/** Shows how many clients follow something. */
export function eventStreamGauge(streams: EventStreams): SampledGaugeOptions {
  return {
    name: 'imageio_event_streams',
    help: 'Event streams that are open',
    read: () => [{ value: streams.open }],
  };
}
