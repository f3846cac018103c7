import type { Order } from '../messages.js';
import { Engine } from './engine.js';

// The transfer itself: what hashes, looks for zeroes and waits for the service never holds up the page.
const engine = new Engine((report) => {
  self.postMessage(report);
});

self.addEventListener('message', ({ data }: MessageEvent<Order>) => {
  void engine.obey(data);
});

self.addEventListener('online', () => {
  engine.retryNow();
});
