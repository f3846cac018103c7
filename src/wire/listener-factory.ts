import type { Config } from '../config/config.js';
import type { Logger } from '../log/logger.js';
import { listOfHosts } from '../config/sections/metrics.js';
import { anyHost, localHost, monitoringHost, withoutWebPages } from './host-check.js';
import { HttpListener, type HttpListenerOptions, type RequestHandler } from './http-listener.js';
import { InheritedSockets } from './inherited-sockets.js';
import type { ListenerObserver } from './listener-observer.js';
import { readServerTls } from './tls-files.js';
import type { TlsThreads } from './tls-threads.js';
import { unixAddress } from './unix-socket.js';

/** What stands behind a listener: an application, or what chooses between several. */
export interface ListenerApplication {
  readonly handle: RequestHandler;
  readonly allowedMethods: readonly string[];
}

/**
 * Makes the listeners that the configuration asks for. Keys are read here, while the process may still be
 * root.
 */
export class ListenerFactory {
  constructor(
    private readonly config: Config,
    private readonly logger: Logger,
    private readonly observer?: ListenerObserver,
    private readonly inherited = new InheritedSockets(),
    /** Who speaks TLS with the clients of the remote listener; absent: the main thread. */
    private readonly threads?: TlsThreads,
  ) {}

  /** The service for the network: HTTPS, unless TLS is off. */
  remote(application: ListenerApplication): HttpListener {
    const { remote, tls } = this.config;
    return this.#listener(application, {
      name: 'remote',
      listen: { kind: 'tcp', host: remote.host, port: remote.port },
      requireHostHeader: true,
      tls: readServerTls(tls, (message) => {
        this.logger.warn(message);
      }),
      threads: this.threads,
    });
  }

  /** The service for clients on this host: plain HTTP on a unix socket. */
  local(application: ListenerApplication): HttpListener {
    return this.#listener(application, {
      name: 'local',
      listen: unixAddress(this.config.local.socket),
      requireHostHeader: false,
      // Any process of this host can take an abstract name. That must not keep the daemon from serving the
      // network.
      isDispensable: true,
    });
  }

  /** The service for vdsm and engine. Engine sends requests without `Host`. */
  control(application: ListenerApplication): HttpListener {
    const { transport, socket, port, preferIpv4 } = this.config.control;
    const isUnix = transport === 'unix';
    const handle = withoutWebPages(application.handle, isUnix ? anyHost : localHost);
    return this.#listener(
      {
        handle,
        get allowedMethods() {
          return application.allowedMethods;
        },
      },
      {
        name: 'control',
        listen: isUnix
          ? unixAddress(socket)
          : { kind: 'tcp', host: preferIpv4 ? '127.0.0.1' : '::1', port: Math.max(0, port) },
        requireHostHeader: false,
        trustsClients: true,
        isLastToStop: this.config.daemon.keepTickets === 'restart',
      },
    );
  }

  /** The service for monitoring systems: plain HTTP. */
  metrics(handler: RequestHandler, allowedMethods: readonly string[]): HttpListener {
    const { host, port, allowedHosts } = this.config.metrics;
    const handle = withoutWebPages(handler, monitoringHost(listOfHosts(allowedHosts)));
    return this.#listener(
      { handle, allowedMethods },
      {
        name: 'metrics',
        listen: { kind: 'tcp', host, port },
        requireHostHeader: true,
        requestLogLevel: 'debug',
      },
    );
  }

  #listener(
    application: ListenerApplication,
    options: Pick<
      HttpListenerOptions,
      | 'name'
      | 'listen'
      | 'requireHostHeader'
      | 'isDispensable'
      | 'isLastToStop'
      | 'tls'
      | 'threads'
      | 'requestLogLevel'
      | 'trustsClients'
    >,
  ): HttpListener {
    const { limits } = this.config;
    return new HttpListener(
      {
        ...options,
        inherited: this.inherited.take(options.name, options.listen, options.trustsClients === true),
        handler: application.handle,
        allowedMethods: () => application.allowedMethods,
        observer: this.observer,
        limits: {
          unauthorisedSilenceSeconds: limits.unauthorisedSilenceSeconds,
          unauthorisedLifeSeconds: limits.unauthorisedLifeSeconds,
          unauthorisedConnectionsPerAddressMax: limits.unauthorisedConnectionsPerAddressMax,
          handshakeTimeoutSeconds: limits.handshakeTimeoutSeconds,
          drainBytes: limits.drainBytesMax,
          lingerSeconds: limits.lingerSeconds,
          requestHeadBytes: limits.requestHeadBytesMax,
          headersTimeoutSeconds: limits.headersTimeoutSeconds,
          connectionsMax: limits.connectionsMax,
          pipelinedRequestsMax: limits.pipelinedRequestsMax,
          retryAfterSeconds: limits.retryAfterSeconds,
          unauthorisedRecordsPerSecond: limits.unauthorisedRecordsPerSecond,
        },
      },
      this.logger,
    );
  }
}
