import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { after, afterEach, test } from 'node:test';
import { promisify } from 'node:util';
import { connectOptions } from '../support/address.js';
import { eventually, within } from '../support/deadline.js';
import { ImagesClient } from '../support/client.js';
import { RawSocket } from '../support/raw-socket.js';
import { needs } from '../support/requirements.js';
import { withoutTls } from './daemon-under-test.js';
import { describeWire, type Wire } from './wire-under-test.js';

const run = promisify(execFile);
// For the files that the service opens meanwhile.
const spareDescriptors = 20;
const answersWithinMs = 10_000;

// Each has its own listener. Silence ends nothing within the patience of the tests.
const routes = [
  'straight to the daemon',
  'over the local socket',
  'through the proxy with a session',
] as const;
const configuration = { limits: { handshake_timeout_sec: 600, unauthorised_silence_sec: 600 } };
const skip = needs('prlimit');

describeWire('a service without descriptors', { configuration, routes }, (wire) => {
  const silent: RawSocket[] = [];
  afterEach(() => limitDescriptors(wire, Infinity));
  after(() => {
    for (const socket of silent) socket.close();
  });

  test('answers again when those who held them have gone', { skip }, async () => {
    await limitDescriptors(wire, (await openDescriptors(wire)) + spareDescriptors);
    const { address } = wire;
    const lower = address.kind === 'tls' ? withoutTls(address) : address;
    for (let count = 0; count < 3 * spareDescriptors; count++) {
      const socket = await RawSocket.connect(lower).catch(() => undefined);
      if (socket !== undefined) silent.push(socket);
    }
    await assert.rejects(within(ask(wire), 'an answer', { deadlineMs: 500 }));
    for (const socket of silent) socket.close();
    await answersAgain(wire);
    assert.ok(listenerFailures(wire) < 10, `${listenerFailures(wire)} records`);
  });

  test('answers beside clients that connect and go, as balancers do', { skip }, async () => {
    await limitDescriptors(wire, (await openDescriptors(wire)) + spareDescriptors);
    const { address } = wire;
    const options = connectOptions(address.kind === 'tls' ? withoutTls(address) : address);
    for (let count = 0; count < 300; count++) {
      const socket = connect({ host: options.host ?? '', ...options, path: options.path ?? '' });
      socket.on('error', () => undefined);
      socket.end();
    }
    await answersAgain(wire);
  });
});

async function ask(wire: Wire): Promise<true> {
  const client = new ImagesClient(wire.address);
  try {
    assert.equal((await client.request('GET', '/info/')).status, 200);
    return true;
  } finally {
    client.close();
  }
}

async function answersAgain(wire: Wire): Promise<void> {
  await eventually(() => ask(wire).catch(() => undefined), 'the service answers', {
    deadlineMs: answersWithinMs,
  });
}

function listenerFailures(wire: Wire): number {
  return wire.service.log.filter(({ level, listener }) => level === 'error' && listener !== undefined).length;
}

async function openDescriptors(wire: Wire): Promise<number> {
  return (await readdir(`/proc/${wire.service.program.pid}/fd`)).length;
}

/** Of the running process; the hard limit stays. */
async function limitDescriptors(wire: Wire, count: number): Promise<void> {
  const limit = Number.isFinite(count) ? `${count}` : '4096';
  await run('prlimit', [`--pid=${wire.service.program.pid}`, `--nofile=${limit}:`]);
}
