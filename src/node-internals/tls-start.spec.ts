import assert from 'node:assert/strict';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:https';
import { test } from 'node:test';
import { startingTlsLate, takeTlsStart } from './tls-start.js';

test('the start of TLS is taken from a server of Node', () => {
  const server = createServer();
  assert.ok(takeTlsStart(server));
  assert.equal(server.listenerCount('connection'), 0);
});

test('a server whose listeners are others than is known is left alone', () => {
  for (const count of [0, 2]) {
    const server = createHttpServer().removeAllListeners('connection');
    for (let number = 0; number < count; number += 1) server.on('connection', () => undefined);
    assert.equal(takeTlsStart(server), undefined);
    assert.equal(server.listenerCount('connection'), count);
  }
});

test('without it Node starts TLS by itself', () => {
  startingTlsLate.turnOff('test');
  const server = createServer();
  assert.equal(takeTlsStart(server), undefined);
  assert.equal(server.listenerCount('connection'), 1);
});
