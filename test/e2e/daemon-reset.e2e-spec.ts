import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/units.js';
import { DaemonFixture } from './daemon.fixture.js';
import { requestBytes } from './raw-answers.js';

const largeBytes = 24 * MiB;

describe('a client that resets its connection', () => {
  let fixture: DaemonFixture;
  before(async () => {
    // Only a TCP socket can be reset on purpose.
    fixture = await DaemonFixture.start({ tls: { enable: false } });
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  test('in mid-PUT leaves no operation, connection or open file', async () => {
    const ticket = await fixture.addImage(largeBytes);
    const socket = await fixture.connect();
    await socket.send(
      requestBytes('PUT', ticket.path, [`Content-Length: ${largeBytes}`], 'x'.repeat(5 * MiB)),
    );
    await fixture.ticketState(ticket, ({ transferred }) => transferred! >= 4 * MiB, 'the data is written');
    socket.reset();
    const { transferred } = await fixture.ticketState(
      ticket,
      ({ active, connections }) => !active && connections === 0,
      'the ticket is idle',
    );
    assert.ok(transferred! >= 4 * MiB && transferred! <= 5 * MiB);
    assert.equal(await fixture.openFiles(ticket.file), 0);
    const content = await fixture.contentOf(ticket);
    assert.equal(content.subarray(0, transferred).toString('latin1'), 'x'.repeat(transferred!));
    assert.ok(content.subarray(transferred).equals(Buffer.alloc(largeBytes - transferred!)));
    assert.equal((await fixture.client().request('PUT', ticket.path, { body: 'again' })).status, 200);
  });

  test('in mid-GET leaves no operation, connection or open file', async () => {
    const ticket = await fixture.addImage(largeBytes, { ops: ['read'] });
    const socket = await fixture.connect();
    await socket.send(requestBytes('GET', ticket.path));
    await socket.readAtLeast(MiB);
    socket.reset();
    await fixture.ticketState(
      ticket,
      ({ active, connections }) => !active && connections === 0,
      'the ticket is idle',
    );
    assert.equal(await fixture.openFiles(ticket.file), 0);
  });
});
