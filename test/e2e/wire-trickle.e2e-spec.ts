import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { parseAnswer } from './raw-answers.js';
import { describeWire } from './wire-under-test.js';

describeWire('an upload that trickles', { concurrency: true }, (wire) => {
  test('keeps its ticket alive and shows its progress', async () => {
    // Far less than a buffer arrives within the timeout of the ticket.
    const ticket = await wire.addImage(16, { timeout: 5, ops: ['write'] });
    const socket = await wire.connect();
    await socket.send(wire.request('PUT', ticket.path, ['Content-Length: 16', 'Connection: close']));
    const seen = new Set<number>();
    for (let index = 0; index < 16; index++) {
      await socket.send(Buffer.from([0x41 + index]));
      seen.add((await wire.vdsm.getTicket(ticket.id)).transferred ?? -1);
      await delay(450);
    }
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 200);
    assert.equal(await readFile(ticket.file, 'latin1'), 'ABCDEFGHIJKLMNOP');
    assert.ok(seen.size > 3, `transferred went ${[...seen].join(', ')}`);
  });
});
