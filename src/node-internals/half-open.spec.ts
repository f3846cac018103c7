import assert from 'node:assert/strict';
import { Server } from 'node:http';
import { test } from 'node:test';
import { servingHalfOpen } from './half-open.js';

test('the canary notices when the property has no effect any more', async (t) => {
  // As a Node would that has given it another name.
  Object.defineProperty(Server.prototype, 'httpAllowHalfOpen', {
    configurable: true,
    get: () => false,
    set: () => undefined,
  });
  t.after(() => Reflect.deleteProperty(Server.prototype, 'httpAllowHalfOpen'));
  await servingHalfOpen.check();
  assert.equal(servingHalfOpen.inUse, false);
});
