import type { Socket } from 'node:net';
import { TcpWay } from './tcp-way.js';

const headEnd = Buffer.from('\r\n\r\n');

/**
 * A way to a service without TLS on which a bit of the request of each connection becomes another one, as bad
 * memory of a switch makes it.
 */
export class FlippingWay extends TcpWay {
  /** Counted from the end of the head; undefined for a way that is good. */
  flippedBit: number | undefined;

  static async to(targetPort: number): Promise<FlippingWay> {
    return new FlippingWay(targetPort).open();
  }

  protected carry(client: Socket, target: Socket): void {
    const { flippedBit } = this;
    let head: Buffer | undefined = Buffer.alloc(0);
    let passedBytes = 0;
    client.on('data', (bytes: Buffer) => {
      let body = bytes;
      if (head !== undefined) {
        head = Buffer.concat([head, bytes]);
        const end = head.indexOf(headEnd);
        if (end < 0) return;
        target.write(head.subarray(0, end + headEnd.length));
        body = head.subarray(end + headEnd.length);
        head = undefined;
      }
      const at = flippedBit === undefined ? -1 : Math.floor(flippedBit / 8) - passedBytes;
      passedBytes += body.length;
      const byte = body[at];
      if (byte !== undefined) body[at] = byte ^ (1 << ((flippedBit ?? 0) % 8));
      target.write(body);
    });
  }
}
