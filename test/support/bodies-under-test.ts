import { BodyReader } from '../../src/images/transfer/body-reader.js';
import type { Exchange } from '../../src/wire/exchange.js';
import { ListenerUnderTest } from './listener-under-test.js';

/** A listener that gives the body of each request to `read`, and answers 200 when that is done. */
export function serveBodies(
  read: (body: BodyReader, exchange: Exchange) => Promise<void>,
): Promise<ListenerUnderTest> {
  return ListenerUnderTest.open(async (exchange) => {
    const body = new BodyReader(exchange, exchange.signal);
    try {
      await read(body, exchange);
    } finally {
      body.stop();
    }
    exchange.send(200);
  });
}
