import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Where the time of an operation went, in seconds. */
interface Times {
  readonly totalSeconds: number;
  readonly backendSeconds: number;
  readonly clientSeconds: number;
}

/** From a flush of nothing to the upload of a terabyte. */
const secondsBuckets = [0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300, 1800, 7200];

/** The operations that move or change bytes of an image; the others have nothing to count. */
const countedKinds = new Set(['read', 'write', 'zero', 'checksum']);

/**
 * The bytes of one combination of labels. A plain number: counters of the library cost a look-up for each
 * addition.
 */
interface ByteCell {
  readonly labels: Readonly<Record<'operation' | 'backend' | 'listener', string>>;
  bytes: number;
}

/** What operations on images do: how many run, how many bytes they move, and where their time goes. */
export class TransferMetrics {
  readonly #active: Gauge<'operation' | 'listener'>;
  readonly #cells = new Map<string, ByteCell>();
  readonly #histograms: Readonly<Record<keyof Times, Histogram<'operation' | 'backend'>>>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#active = new Gauge({
      name: 'imageio_operations_active',
      help: 'Operations on images that are running',
      labelNames: ['operation', 'listener'],
      registers,
    });
    const cells = this.#cells;
    new Counter({
      name: 'imageio_image_bytes_total',
      help: 'Bytes of images that operations have finished: sent, written, zeroed or checksummed',
      labelNames: ['operation', 'backend', 'listener'],
      registers,
      collect() {
        this.reset();
        for (const { labels, bytes } of cells.values()) this.inc(labels, bytes);
      },
    });
    const histogram = (name: string, help: string): Histogram<'operation' | 'backend'> =>
      new Histogram({
        name,
        help,
        labelNames: ['operation', 'backend'],
        buckets: secondsBuckets,
        registers,
      });
    this.#histograms = {
      totalSeconds: histogram('imageio_operation_seconds', 'How long operations on images took'),
      backendSeconds: histogram(
        'imageio_operation_backend_seconds',
        'How long the storage, or at the proxy the daemon, was busy or waited for in operations on images',
      ),
      clientSeconds: histogram(
        'imageio_operation_client_wait_seconds',
        'How long clients were waited for in operations on images, to send or to read',
      ),
    };
  }

  /**
   * An operation of `kind` begins at `listener`. Until it is known where its image is, its backend is `none`.
   */
  begin(kind: string, listener: string) {
    const running = { operation: kind, listener };
    let backend = 'none';
    let cell: ByteCell | undefined;
    this.#active.inc(running);
    return {
      located: (where: string): void => {
        backend = where;
        cell = countedKinds.has(kind) ? this.#cell({ operation: kind, backend, listener }) : undefined;
      },
      progressed: (lengthBytes: number): void => {
        if (cell !== undefined) cell.bytes += lengthBytes;
      },
      ended: (times: Times): void => {
        this.#active.dec(running);
        const labels = { operation: kind, backend };
        this.#histograms.totalSeconds.observe(labels, times.totalSeconds);
        this.#histograms.backendSeconds.observe(labels, times.backendSeconds);
        this.#histograms.clientSeconds.observe(labels, times.clientSeconds);
      },
    };
  }

  #cell(labels: ByteCell['labels']): ByteCell {
    const key = `${labels.operation} ${labels.backend} ${labels.listener}`;
    const known = this.#cells.get(key);
    if (known !== undefined) return known;
    const cell = { labels, bytes: 0 };
    this.#cells.set(key, cell);
    return cell;
  }
}
