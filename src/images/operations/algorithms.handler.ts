import { Injectable } from '@nestjs/common';
import type { Exchange } from '../../wire/exchange.js';
import { checksumAlgorithms } from '../checksum/block-hash.js';
import type { ImageHandler } from './image-handler.js';

/** GET /images/{id}/checksum/algorithms: the same for every image, so it needs no ticket. */
@Injectable()
export class AlgorithmsHandler implements ImageHandler {
  async handle(exchange: Exchange): Promise<void> {
    const headers = { 'Content-Type': 'application/json; charset=utf-8' };
    exchange.send(200, headers, JSON.stringify({ algorithms: checksumAlgorithms }));
  }
}
