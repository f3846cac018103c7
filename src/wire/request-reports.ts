import type { Exchange } from './exchange.js';
import type { Logger } from '../log/logger.js';
import type { RecordSink } from './record-sink.js';
import type { ListenerObserver } from './listener-observer.js';

export interface RequestReportOptions {
  /** The name of the listener. */
  readonly name: string;
  /**
   * Requests that come all the time and say nothing, such as those of a monitoring system, are for debugging
   * only. Default `info`.
   */
  readonly requestLogLevel?: 'info' | 'debug';
  /**
   * Only the managers of the host get anything here, so that what succeeds is always told, and only refusals
   * may be summed up. Default false.
   */
  readonly trustsClients?: boolean;
  readonly observer?: ListenerObserver | undefined;
}

/**
 * Tells the log and the observer of each request of a listener, once, when it has ended. No record has the
 * path: it holds the ticket id.
 */
export class RequestReports {
  constructor(
    private readonly options: RequestReportOptions,
    private readonly logger: Logger,
    /** For requests of which no ticket is known. */
    private readonly strangerRecords: RecordSink,
  ) {}

  /** Reports the request when its response and its work have ended, however they do. */
  whenDone(exchange: Exchange): void {
    exchange.response.once('close', () => {
      const seconds = (performance.now() - exchange.startedAt) / 1000;
      // An operation ends a moment after its response, and only then it is known how much it did.
      void exchange.workEnded().then(() => {
        this.#ended(exchange, seconds);
      });
    });
  }

  /** Reports what could not be parsed as a request. */
  refused(refusal: {
    readonly client: string | undefined;
    readonly status: number;
    /** Of the parser, e.g. `HPE_HEADER_OVERFLOW`. */
    readonly code: string | undefined;
  }): void {
    const { name, observer } = this.options;
    const { client, status, code } = refusal;
    observer?.requestRefused(name, status);
    const record = { listener: name, client, status, error: code };
    this.strangerRecords.write('info', record, 'Request cannot be parsed');
  }

  #ended(exchange: Exchange, seconds: number): void {
    const { name, requestLogLevel = 'info', trustsClients = false, observer } = this.options;
    const { request, response, requestId, clientAddress, route, logFields } = exchange;
    const { method = '' } = request;
    const status = response.headersSent ? response.statusCode : 0;
    const succeeded = status < 400 && response.writableFinished;
    const usual = exchange.polled && succeeded ? 'debug' : requestLogLevel;
    const level = exchange.failed ? 'error' : usual;
    const record = {
      request_id: requestId,
      listener: name,
      client: clientAddress,
      method,
      route: route ?? 'none',
      ...logFields,
      status,
      complete: response.writableFinished,
      milliseconds: Math.round(seconds * 1000),
      client_milliseconds: Math.round(exchange.clientSeconds * 1000),
    };
    if (exchange.namesTransfer || (trustsClients && succeeded)) this.logger[level](record, 'Request ended');
    else this.strangerRecords.write(level, record, 'Request ended');
    observer?.requestEnded({ listener: name, method, route, status });
  }
}
