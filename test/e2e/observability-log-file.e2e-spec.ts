import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, rename } from 'node:fs/promises';
import { test } from 'node:test';
import { writeConfiguration } from '../support/configuration.js';
import { eventually } from '../support/deadline.js';
import { Pki } from '../support/pki.js';
import { Program } from '../support/program.js';
import { pinnedNode, serviceProgram } from '../support/project.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

async function has(file: string, message: string): Promise<true | undefined> {
  const text = existsSync(file) ? await readFile(file, 'utf8') : '';
  return text.includes(message) ? true : undefined;
}

async function start(folder: TemporaryFolder, file: string): Promise<Program> {
  const pki = await Pki.create(folder.path);
  const identity = await pki.issueHost('daemon');
  await writeConfiguration(folder.file('daemon'), {
    daemon: { run_dir: folder.path, drop_privileges: false, systemd_enable: false },
    tls: { key_file: identity.keyFile, cert_file: identity.certFile, ca_file: pki.caFile },
    remote: { host: '127.0.0.1', port: 0 },
    local: { enable: false },
    control: { transport: 'unix', socket: folder.file('daemon.sock') },
    logging: { file },
  });
  return Program.start(pinnedNode, [serviceProgram, '-c', folder.file('daemon')]);
}

test('a log in a file is all there is, and goes on in a new file when logrotate has renamed it', async () => {
  await using folder = await TemporaryFolder.create();
  const log = folder.file('daemon.log');
  const daemon = await start(folder, log);
  await eventually(() => has(log, 'Ready for requests'), 'the daemon is ready');
  await rename(log, `${log}.1`);
  daemon.signal('SIGHUP');
  await eventually(() => has(log, 'Reloaded'), 'the new file has the reload');
  assert.equal((await daemon.stop()).code, 0);
  assert.ok(await has(log, 'Stopped'));
  assert.deepEqual(daemon.lines, []);
});

test('a log whose file cannot be opened stops the start, with a line that says so', async () => {
  await using folder = await TemporaryFolder.create();
  const daemon = await start(folder, folder.file('absent/daemon.log'));
  assert.equal((await daemon.waitForExit()).code, 1);
  assert.match(daemon.lines.join('\n'), /^\[logging\] file: cannot open it: ENOENT/);
});
