import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import type { Configuration } from '../support/configuration.js';
import { startDaemon } from '../support/processes.js';
import { DaemonUnderTest } from './daemon-under-test.js';

describe('a daemon that cannot start', () => {
  let fixture: DaemonUnderTest;
  before(async () => {
    fixture = await DaemonUnderTest.start();
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  /** What it printed before it ended with exit code 1. */
  async function failure(configuration: Configuration): Promise<string[]> {
    const { folder, pki } = fixture;
    const control = { socket: folder.file('second.sock') };
    try {
      await startDaemon({ folder: folder.path, pki, configuration: { control, ...configuration } });
    } catch (error: unknown) {
      const [what = '', , ...lines] = String(error).split('\n');
      assert.match(what, /exit code 1/);
      return lines;
    }
    throw new Error('It started');
  }

  test('because the port is in use says so in one line', async () => {
    const address = fixture.daemon.address('remote');
    assert.ok(address.kind === 'tls');
    const lines = await failure({ remote: { host: '127.0.0.1', port: address.port } });
    assert.equal(lines.length, 1, lines.join('\n'));
    assert.match(lines[0]!, new RegExp(`remote listener.*EADDRINUSE.*${address.port}`));
  });

  test('because the control socket is that of a running one says so in one line and leaves it', async () => {
    const lines = await failure({ control: { socket: fixture.folder.file('daemon.sock') } });
    assert.equal(lines.length, 1, lines.join('\n'));
    assert.match(lines[0]!, /control listener/);
    assert.deepEqual(await fixture.vdsm.listTickets(), []);
  });

  test('because the local socket is in use, or has no folder, says so in one line', async () => {
    for (const [socket, reason] of [
      [fixture.folder.file('daemon.sock'), /another process is listening there/],
      [fixture.folder.file('missing/local.sock'), /its folder does not exist/],
    ] as const) {
      const lines = await failure({ local: { socket } });
      assert.equal(lines.length, 1, lines.join('\n'));
      assert.match(lines[0]!, /Cannot open the local listener/);
      assert.match(lines[0]!, reason);
    }
  });

  for (const option of ['key_file', 'cert_file']) {
    test(`because [tls] ${option} does not exist says so in one line`, async () => {
      const lines = await failure({ tls: { [option]: fixture.folder.file('missing.pem') } });
      assert.equal(lines.length, 1, lines.join('\n'));
      assert.match(lines[0]!, new RegExp(`${option}.*missing\\.pem`));
    });

    test(`because [tls] ${option} is no PEM says so in one line that shows nothing of it`, async () => {
      const file = fixture.folder.file('garbage.pem');
      await writeFile(file, 'SECRET garbage');
      const lines = await failure({ tls: { [option]: file } });
      assert.equal(lines.length, 1, lines.join('\n'));
      assert.match(lines[0]!, /Cannot start/);
      assert.doesNotMatch(lines[0]!, /SECRET/);
    });

    test(`because [tls] ${option} is empty says so in one line`, async () => {
      const lines = await failure({ tls: { [option]: '' } });
      assert.equal(lines.length, 1, lines.join('\n'));
      assert.match(lines[0]!, new RegExp(option));
    });
  }

  test('because the host has no such address says so in one line', async () => {
    const lines = await failure({ remote: { host: '192.0.2.1', port: 0 } });
    assert.equal(lines.length, 1, lines.join('\n'));
    assert.match(lines[0]!, /remote listener/);
  });
});
