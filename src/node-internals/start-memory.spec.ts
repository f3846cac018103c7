import assert from 'node:assert/strict';
import { test } from 'node:test';
import { returnStartMemory } from './start-memory.js';

test('what nobody holds is collected, and the collector is not left for others to find', async () => {
  const gone = new WeakRef(new Uint8Array(1000));
  // A reference is strong for the turn that makes it.
  await new Promise(setImmediate);
  returnStartMemory();
  assert.equal(gone.deref(), undefined);
  assert.equal('gc' in globalThis, false);
});
