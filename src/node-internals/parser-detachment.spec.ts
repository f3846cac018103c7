import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CanaryServer } from './canary-server.js';
import { stopParsing, detachingParsers } from './parser-detachment.js';

const garbage = Buffer.from('garbage\r\n\r\n');

/**
 * How often the parser of a server fails at garbage that comes in three pieces, after the first of which it
 * is stopped.
 */
async function failuresOfThree(): Promise<number> {
  const service = createServer();
  let failures = 0;
  service.on('clientError', () => (failures += 1));
  await using server = await CanaryServer.open(service);
  const client = server.connect();
  client.write(garbage);
  const [, socket] = (await once(service, 'clientError')) as [Error, Socket];
  stopParsing(socket);
  socket.resume();
  for (let pieces = 2; pieces <= 3; pieces += 1) {
    client.write(garbage);
    while (socket.bytesRead < pieces * garbage.length) await nextTurn();
  }
  return failures;
}

test('a parser that is stopped does not see what comes after', async () => {
  assert.equal(await failuresOfThree(), 1);
});

test('without it the parser fails at each piece anew', async () => {
  detachingParsers.turnOff('test');
  assert.equal(await failuresOfThree(), 3);
});
