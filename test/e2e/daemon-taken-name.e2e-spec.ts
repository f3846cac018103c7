import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { ImagesClient } from '../support/client.js';
import { startDaemon, type Service } from '../support/processes.js';
import { DaemonUnderTest } from './daemon-under-test.js';
import { askMonitoring, monitored, Scrape } from './monitoring.js';

describe('a daemon whose local name another daemon has', () => {
  let first: DaemonUnderTest;
  let second: Service;
  let name: string;
  before(async () => {
    first = await DaemonUnderTest.start();
    const address = first.daemon.address('local');
    assert.ok(address.kind === 'unix');
    name = address.path;
    const folder = first.folder.file('second');
    await mkdir(folder);
    const local = { socket: name.replace('\0', '\\u0000') };
    second = await startDaemon({ folder, pki: first.pki, configuration: { ...monitored, local } });
  });
  after(async () => {
    if (!second.program.hasExited) await second.program.kill();
    await first[Symbol.asyncDispose]();
  });

  test('starts, and warns with the name and what it means', () => {
    const warnings = second.log.filter(({ level }) => level === 'warn').map(({ msg }) => String(msg));
    assert.deepEqual(warnings, [
      `No local listener: Cannot listen on ${name.replace('\0', '@')}: another process is listening there. ` +
        'The service goes on without it and does not offer the unix socket; clients on this host use the ' +
        'remote listener',
    ]);
    assert.throws(() => second.address('local'), /has no local listener/);
  });

  test('does not offer the socket to clients, the other does', async () => {
    for (const [daemon, offered] of [
      [second, undefined],
      [first.daemon, name],
    ] as const) {
      const client = new ImagesClient(daemon.address('remote'));
      const { status, text } = await client.request('OPTIONS', '/images/*');
      client.close();
      assert.equal(status, 200);
      assert.equal((JSON.parse(text) as { unix_socket?: string }).unix_socket, offered);
    }
  });

  test('is healthy, and counts no connections of the listener that it has not', async () => {
    const ready = await askMonitoring(second, '/health/ready');
    assert.deepEqual(
      [ready.status, JSON.parse(ready.text)],
      [200, { status: 'ok', checks: { listeners: 'ok' } }],
    );
    const scrape = await Scrape.of(second);
    assert.equal(scrape.samples.filter(({ labels }) => labels['listener'] === 'local').length, 0);
  });

  test('stops in order, and leaves the other its name', async () => {
    await second.stop();
    assert.equal((await first.client('local').request('OPTIONS', '/images/*')).status, 200);
  });
});
