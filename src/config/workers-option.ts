import { integer } from './option.js';

/** More than the cores of any host that a daemon has for itself. */
const workersMax = 64;

/** The same for both roles, each of which has its own listener. */
export const workersOption = integer('workers', {
  default: 0,
  minimum: 0,
  maximum: workersMax,
  unit: 'threads',
  description:
    'Threads that speak TLS with the clients of the remote listener, and answer plain downloads of files ' +
    'and block devices by themselves. 0: the main thread does all.',
});
