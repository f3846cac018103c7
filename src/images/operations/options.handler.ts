import { Inject, Injectable } from '@nestjs/common';
import type { DaemonConfig } from '../../config/sections/daemon.js';
import { extensions } from '../../contract/extensions.js';
import { Section } from '../../framework/settings.module.js';
import { isPreflight } from '../../wire/headers/cors.js';
import type { Exchange } from '../../wire/exchange.js';
import { ReceiptSigner } from '../receipt/receipt-signer.js';
import type { AskedImage, ImageHandler } from './image-handler.js';
import { ImageOperations } from '../transfer/image-operations.js';

/** The local service, where there is one. */
export interface LocalSocket {
  /**
   * As it is put into a socket address, with a leading NUL when abstract; undefined
   * while nothing is bound to it.
   */
  readonly address: string | undefined;
}

export const LOCAL_SOCKET = Symbol('LOCAL_SOCKET');

const readFeatures = ['checksum', 'extents'];
const writeFeatures = ['flush', 'zero'];

/**
 * OPTIONS /images/{id}: what can be done with the image and with how many connections. It
 * is every client's first request.
 */
@Injectable()
export class OptionsHandler implements ImageHandler {
  constructor(
    private readonly operations: ImageOperations,
    @Inject(LOCAL_SOCKET) private readonly localSocket: LocalSocket,
    private readonly signer: ReceiptSigner,
    @Section('daemon') private readonly daemon: Pick<DaemonConfig, 'connectionsMax'>,
  ) {}

  async handle(exchange: Exchange, { ticketId }: AskedImage): Promise<void> {
    // A browser sends this preflight before the real request and hides a refusal of it from the page. So it
    // is always answered, and whether the ticket is valid is told by the answer to the real request.
    if (isPreflight(exchange.request)) {
      exchange.send(200, { Allow: 'OPTIONS,GET,PUT,PATCH' });
      return;
    }
    if (ticketId === '*') {
      this.#send(exchange, { writable: true });
      return;
    }
    await this.operations.run(
      exchange,
      { ticketId, access: 'read', kind: 'options' },
      async ({ permit, backend }) => {
        const { connectionsMax } = this.daemon;
        this.#send(exchange, {
          writable: permit.writable,
          max_readers: Math.min(backend.readersMax, connectionsMax),
          max_writers: Math.min(backend.writersMax, connectionsMax),
        });
      },
    );
  }

  #send(
    exchange: Exchange,
    { writable, ...limits }: { writable: boolean; max_readers?: number; max_writers?: number },
  ): void {
    const { address: unixSocket } = this.localSocket;
    const body = JSON.stringify({
      ...(unixSocket === undefined ? {} : { unix_socket: unixSocket }),
      features: writable ? [...readFeatures, ...writeFeatures] : readFeatures,
      extensions: this.signer.isReady ? extensions : extensions.filter((word) => word !== 'receipt'),
      ...limits,
    });
    const allow = writable ? 'OPTIONS,GET,PUT,PATCH' : 'OPTIONS,GET';
    exchange.send(200, { 'Content-Type': 'application/json', Allow: allow }, body);
  }
}
