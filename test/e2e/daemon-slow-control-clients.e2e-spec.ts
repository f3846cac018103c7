import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DaemonUnderTest } from './daemon-under-test.js';
import { parseAnswer, requestBytes } from './raw-answers.js';

describe('slow clients of the control service', { concurrency: true }, () => {
  let fixture: DaemonUnderTest;
  before(async () => {
    fixture = await DaemonUnderTest.start({
      // Reading tickets is polling: only at this level is it in the log.
      logging: { level: 'debug' },
      limits: { unauthorised_silence_sec: 3, headers_timeout_sec: 2.5, linger_sec: 0.2 },
    });
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  test('that say nothing are closed', async () => {
    const socket = await fixture.connect('control');
    assert.equal((await socket.readUntilClose()).length, 0);
  });

  test('that do not finish the head of a request get 408', async () => {
    const socket = await fixture.connect('control');
    await socket.send('GET /info/ HTTP/1.1\r\nHost: loc');
    // Neither is it enough to go on a little now and then.
    const drip = setInterval(() => void socket.send('x').catch(() => undefined), 100);
    try {
      const answer = parseAnswer(await socket.readUntilClose());
      assert.deepEqual([answer.status, answer.headers['connection']], [408, 'close']);
    } finally {
      clearInterval(drip);
    }
  });

  test('that do not read a long list of tickets are cut', async () => {
    // More than the buffers of both sockets take.
    const url = `file:///${'x'.repeat(4000)}`;
    for (let count = 0; count < 1200; count++) await fixture.addImage(undefined, { url });
    const socket = await fixture.connect('control');
    socket.pause();
    await socket.send(requestBytes('GET', '/tickets/'));
    await fixture.daemon.program.waitForLine(
      (line) => (/"route":"\/tickets".*"complete":false/.test(line) ? true : undefined),
      'the request was cut',
    );
  });
});
