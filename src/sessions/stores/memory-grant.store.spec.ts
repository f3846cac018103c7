import { describeGrantStore } from './grant-store.conformance.js';
import { MemoryGrantStore } from './memory-grant.store.js';

describeGrantStore('memory', async (t, options, clock) => {
  const store = new MemoryGrantStore(options, clock);
  t.after(() => store.close());
  return store;
});
