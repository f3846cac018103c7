import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { ActivatedDaemon } from '../support/activated-daemon.js';
import { writeConfiguration } from '../support/configuration.js';
import { Pki } from '../support/pki.js';
import { Program } from '../support/program.js';
import { pinnedNode, serviceProgram } from '../support/project.js';
import { needs } from '../support/requirements.js';
import { startDaemon } from '../support/processes.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { Vdsm } from '../support/vdsm.js';

async function transferThrough(daemon: ActivatedDaemon): Promise<void> {
  const file = daemon.folder.file(`${randomUUID()}.raw`);
  const image = randomBytes(100_000);
  await writeFile(file, '');
  const uuid = randomUUID();
  await daemon.vdsm.addTicket({
    uuid,
    size: image.length,
    ops: ['write'],
    timeout: 60,
    url: `file://${file}`,
  });
  await daemon.client().write(uuid, image, 0, true);
  assert.ok(readFileSync(file).equals(image));
}

describe('a daemon whose sockets the service manager made', () => {
  test('serves on them and leaves them as they are, also when it is restarted or killed', async () => {
    await using daemon = await ActivatedDaemon.start();
    await daemon.ready();
    const before = statSync(daemon.controlPath);
    await transferThrough(daemon);
    const ready = daemon.log.find(({ msg }) => msg === 'Ready for requests');
    assert.match(JSON.stringify(ready?.['listeners']), new RegExp(`"unix:${daemon.controlPath}"`));
    await daemon.restart('SIGTERM');
    // Nothing was refused in between: the connection waited for the next daemon.
    assert.deepEqual(await daemon.vdsm.listTickets(), []);
    await daemon.restart('SIGKILL');
    await transferThrough(daemon);
    const after = statSync(daemon.controlPath);
    assert.deepEqual(
      [after.ino, after.mode, after.uid, after.gid],
      [before.ino, before.mode, before.uid, before.gid],
    );
  });

  test('knows them by where they listen when their names say nothing', async () => {
    const name = 'ovirt-imageio.socket';
    await using daemon = await ActivatedDaemon.start({ names: { control: name, remote: name } });
    await daemon.ready();
    await transferThrough(daemon);
  });

  test('hands them to nobody: no program started by it would find any', async () => {
    await using daemon = await ActivatedDaemon.start();
    await daemon.ready();
    // What execve was given still names them, for this process alone.
    const environment = readFileSync(`/proc/${daemon.pid}/environ`, 'latin1').split('\0');
    assert.ok(environment.includes(`LISTEN_PID=${daemon.pid}`));
    for (const fd of [3, 4]) {
      const flags = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/${daemon.pid}/fdinfo/${fd}`, 'utf8'))?.[1];
      // O_CLOEXEC of open(2).
      assert.equal(Number.parseInt(flags ?? '0', 8) & 0o2000000, 0o2000000);
    }
  });

  test('says which socket no listener is configured for', async () => {
    await using daemon = await ActivatedDaemon.start({
      names: { control: 'other' },
      configuration: { control: { transport: 'tcp', port: 0 } },
    });
    await daemon.ready();
    const warning = `The socket unix:${daemon.controlPath} was passed, but no listener is configured for it`;
    assert.ok(daemon.log.some(({ msg }) => msg === warning));
  });

  test('makes a control socket of its own when the file of the passed one is gone', async () => {
    await using folder = await TemporaryFolder.create();
    const program = await startByScript(folder, 'gone');
    await program.waitForLine((line) => /file is gone/.exec(line)?.[0], 'the warning');
    await program.waitForLine((line) => /Ready for requests/.exec(line)?.[0], 'the start');
    const path = folder.file('control.sock');
    assert.deepEqual(await new Vdsm({ kind: 'unix', path }).listTickets(), []);
    await program.stop();
    assert.equal(existsSync(path), false);
  });

  test('warns of a control socket that every user of the host may connect to', async () => {
    await using folder = await TemporaryFolder.create();
    const program = await startByScript(folder, 0o666);
    await program.waitForLine((line) => /set SocketMode=0660/.exec(line)?.[0], 'the warning');
    await program.stop();
  });

  test('is started by systemd-socket-activate', { skip: needs('systemd-socket-activate') }, async () => {
    await using folder = await TemporaryFolder.create();
    const path = folder.file('control.sock');
    const program = await Program.start('systemd-socket-activate', [
      ...['--listen', path, '--fdname', 'ovirt-imageio.socket'],
      ...[pinnedNode, serviceProgram, '-c', await configurationIn(folder)],
    ]);
    try {
      await program.waitForLine((line) => /Listening on/.exec(line)?.[0], 'the socket listens');
      // This connection starts the daemon, and waits for it.
      assert.deepEqual(await new Vdsm({ kind: 'unix', path }).listTickets(), []);
    } finally {
      await program.stop();
    }
    assert.ok(existsSync(path));
  });
});

describe('a daemon that is started with LISTEN_PID of another process', () => {
  test('binds its own sockets', async () => {
    await using folder = await TemporaryFolder.create();
    const pki = await Pki.create(folder.file('pki'));
    const daemon = await startDaemon({
      folder: folder.path,
      pki,
      env: { LISTEN_PID: '1', LISTEN_FDS: '1', LISTEN_FDNAMES: 'control' },
    });
    assert.deepEqual(await daemon.vdsm.listTickets(), []);
    await daemon.stop();
  });
});

describe('a daemon does not start', () => {
  test('when what was passed does not listen', async () => {
    await using folder = await TemporaryFolder.create();
    const program = await startByScript(folder, undefined);
    assert.equal((await program.waitForExit()).code, 1);
    assert.match(program.lines.join('\n'), /LISTEN_FDS: descriptor 3 is no stream socket that listens/);
  });

  test('when the control socket that was passed can be reached from other hosts', async () => {
    await using folder = await TemporaryFolder.create();
    const program = await startByScript(folder, 'tcp');
    assert.equal((await program.waitForExit()).code, 1);
    assert.match(program.lines.join('\n'), /control listener, TCP port \d+, can be reached from other hosts/);
  });
});

/** Passes one socket as `control`: of a mode, on all addresses, or one that does not listen. */
async function startByScript(
  folder: TemporaryFolder,
  kind: number | 'tcp' | 'gone' | undefined,
): Promise<Program> {
  const script = `
import os, socket, sys
kind, path = sys.argv[1:3]
made = socket.socket(socket.AF_INET if kind == "tcp" else socket.AF_UNIX)
made.bind(("0.0.0.0", 0) if kind == "tcp" else path)
if kind.isdigit(): os.chmod(path, int(kind))
if kind != "none": made.listen(8)
if kind == "gone": os.unlink(path)
fd = os.dup2(os.dup(made.fileno()), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="control")
os.execvp(sys.argv[3], sys.argv[3:])`;
  const path = folder.file('control.sock');
  const transport = kind === 'tcp' ? 'tcp' : 'unix';
  return Program.start('python3', [
    ...['-c', script, String(kind ?? 'none'), path],
    ...[pinnedNode, serviceProgram, '-c', await configurationIn(folder, transport)],
  ]);
}

async function configurationIn(folder: TemporaryFolder, transport = 'unix'): Promise<string> {
  const pki = await Pki.create(folder.file('pki'));
  const { keyFile, certFile } = await pki.issueHost('daemon');
  await writeConfiguration(folder.file('etc'), {
    tls: { key_file: keyFile, cert_file: certFile },
    daemon: { run_dir: folder.path, drop_privileges: false, systemd_enable: false },
    remote: { host: '127.0.0.1', port: 0 },
    local: { enable: false },
    control: { transport, port: 0, socket: folder.file('control.sock') },
  });
  return folder.file('etc');
}
