import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { closingOurWay, replaceClose } from './lingering-close.js';

test('the canary notices when Node closes a connection in another way', async (t) => {
  const method = Object.getOwnPropertyDescriptor(Socket.prototype, 'destroySoon') ?? {};
  // As a Node would that calls its own method whatever a socket has.
  Object.defineProperty(Socket.prototype, 'destroySoon', {
    configurable: true,
    get: () => method.value as unknown,
    set: () => undefined,
  });
  t.after(() => {
    Object.defineProperty(Socket.prototype, 'destroySoon', method);
  });
  await closingOurWay.check();
  assert.equal(closingOurWay.inUse, false);
});

test('without it a connection is closed by Node', () => {
  closingOurWay.turnOff('test');
  const socket = new Socket();
  replaceClose(socket, () => assert.fail('it was called'));
  assert.equal(Object.hasOwn(socket, 'destroySoon'), false);
});
