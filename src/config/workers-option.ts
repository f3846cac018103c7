import { integer, type Option } from './option.js';

/** More than the cores of any host that a daemon has for itself. */
const workersMax = 64;

/** Each role has its own, as each has its own listener. @param work what they do beside TLS */
export function workersOption(work: string): Option<number> {
  return integer('workers', {
    default: 0,
    minimum: 0,
    maximum: workersMax,
    unit: 'threads',
    description:
      `Threads that speak TLS with the clients of the remote listener${work}. ` +
      '0: the main thread does all.',
  });
}
