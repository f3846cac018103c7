import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MethodNotAllowedError } from '../../src/base/errors.js';
import { Exchange } from '../../src/wire/exchange.js';
import { HttpListener } from '../../src/wire/http-listener.js';
import type { Logger } from '../../src/log/logger.js';
import pino from 'pino';
import { parseAddress } from '../support/address.js';
import { RawSocket } from '../support/raw-socket.js';
import { eventually } from '../support/deadline.js';
import { listenerLimits } from '../support/listener-limits.js';

test('a refusal that cannot be written closes the connection and is logged', async () => {
  const lines: string[] = [];
  const logger: Logger = pino({ level: 'info' }, { write: (line: string) => lines.push(line) });
  const listener = new HttpListener(
    {
      name: 'test',
      handler: (request) => {
        Exchange.of(request).fail(new MethodNotAllowedError('GET', ['no\nheader']));
      },
      allowedMethods: () => ['GET'],
      listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
      requireHostHeader: true,
      limits: listenerLimits,
    },
    logger,
  );
  await listener.open();
  try {
    const socket = await RawSocket.connect(parseAddress(listener.address, ''));
    await socket.sendHead('GET / HTTP/1.1', 'Host: localhost');
    assert.equal((await socket.readUntilClose()).length, 0);
    const record = await eventually(
      () => lines.find((line) => line.includes('Request ended')),
      'it is logged',
    );
    assert.match(record, /"answering":"TypeError: Invalid character in header content/);
  } finally {
    listener.close();
  }
});
