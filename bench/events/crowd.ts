// A crowd of clients that follow streams of events and only read, in a process of its own so that nothing of
// it counts among what the server takes. Arguments: the address as JSON, the path, how many. Prints `open`
// when each has its first bytes, and goes on until it is killed.
import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { connectOptions, type Address } from '../../test/support/address.js';

/** So many connect at once: the backlog of a listener is bounded. */
const connectingMax = 20;

const [addressJson = '', path = '', count = ''] = process.argv.slice(2);
const address = JSON.parse(addressJson) as Address;
let missing = Number(count);

await Promise.all(Array.from({ length: connectingMax }, followSome));
console.log('open');

async function followSome(): Promise<void> {
  while (missing > 0) {
    missing -= 1;
    await follow();
  }
}

function follow(): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const start = address.kind === 'tls' ? requestHttps : requestHttp;
  const headers = { Host: 'localhost', Accept: 'text/event-stream' };
  const request = start({ ...connectOptions(address), path, headers, agent: false });
  request.once('response', (answer: IncomingMessage) => {
    if (answer.statusCode !== 200) throw new Error(`${path} was answered with ${answer.statusCode}`);
    answer.once('data', () => {
      resolve(undefined);
    });
    answer.resume();
    answer.once('close', () => {
      throw new Error('A stream has ended');
    });
  });
  request.on('error', reject);
  request.end();
  return promise;
}
