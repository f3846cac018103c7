import { Counter, type Registry } from 'prom-client';

/** A label has few values whatever clients send: a method that no route of ours has is `other`. */
const methods = new Set(['OPTIONS', 'GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE']);

interface Request {
  readonly listener: string;
  readonly method: string;
  readonly route: string | undefined;
  readonly status: number;
}

/** What happens at the listeners: requests and failed TLS handshakes. */
export class ListenerMetrics {
  readonly #requests: Counter<'listener' | 'route' | 'method' | 'status'>;
  readonly #handshakes: Counter<'listener'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#requests = new Counter({
      name: 'imageio_requests_total',
      help:
        'Requests that have ended. Status 0: the client left before its answer. ' +
        'Route none: no route was found or looked for',
      labelNames: ['listener', 'route', 'method', 'status'],
      registers,
    });
    this.#handshakes = new Counter({
      name: 'imageio_tls_handshakes_failed_total',
      help: 'Connections that ended before their TLS handshake did',
      labelNames: ['listener'],
      registers,
    });
    // The counter begins at 0, because an alert on its growth does not see a counter that appears with the
    // value 1.
    this.#handshakes.inc({ listener: 'remote' }, 0);
  }

  requestEnded({ listener, method, route = 'none', status }: Request): void {
    this.#requests.inc({ listener, route, method: methods.has(method) ? method : 'other', status });
  }

  requestRefused(listener: string, status: number): void {
    this.#requests.inc({ listener, route: 'none', method: 'other', status });
  }

  handshakeFailed(listener: string): void {
    this.#handshakes.inc({ listener });
  }
}
