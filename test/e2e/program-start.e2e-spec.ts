import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { Configuration } from '../support/configuration.js';
import { ImagesClient } from '../support/client.js';
import { freePort } from '../support/free-port.js';
import { writeRandomImage } from '../support/images.js';
import { Pki } from '../support/pki.js';
import { startDaemon, type Service, type StartOptions } from '../support/processes.js';
import { Program } from '../support/program.js';
import { needs } from '../support/requirements.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

// Node cannot receive unix datagrams, so the service manager is played by a program in Python.
const managerProgram = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True:
    print(s.recv(4096).decode(), flush=True)
`;

describe('the start of the program', () => {
  let pki: Pki;
  let pkiFolder: TemporaryFolder;
  let folder: TemporaryFolder;

  before(async () => {
    pkiFolder = await TemporaryFolder.create();
    pki = await Pki.create(pkiFolder.path);
  });
  after(async () => {
    await pkiFolder[Symbol.asyncDispose]();
  });

  /** Runs `use` with a daemon in a folder of its own. */
  const withDaemon = async (
    options: (folder: TemporaryFolder) => Promise<Partial<StartOptions>>,
    use: (daemon: Service) => Promise<void>,
  ): Promise<void> => {
    folder = await TemporaryFolder.create();
    try {
      const daemon = await startDaemon({ folder: folder.path, pki, ...(await options(folder)) });
      try {
        await use(daemon);
      } finally {
        await daemon.program.stop();
      }
    } finally {
      await folder[Symbol.asyncDispose]();
    }
  };

  /** Starts a daemon that must not get ready. @returns what it wrote and its exit code, in one text */
  const failure = async (
    options: (folder: TemporaryFolder) => Promise<Partial<StartOptions>>,
  ): Promise<string> => {
    try {
      await withDaemon(options, async () => {});
    } catch (error) {
      return String(error);
    }
    throw new Error('The daemon has started');
  };

  test('installs the tickets of --ticket', async () => {
    await withDaemon(
      async (folder) => {
        const image = folder.file('image');
        await writeRandomImage(image, 4096);
        await writeFile(
          folder.file('ticket.json'),
          JSON.stringify({
            uuid: 'by-file',
            size: 4096,
            ops: ['read'],
            timeout: 300,
            url: `file://${image}`,
          }),
        );
        return { args: ['-t', folder.file('ticket.json')] };
      },
      async (daemon) => {
        assert.equal((await daemon.vdsm.getTicket('by-file')).size, 4096);
        const client = new ImagesClient(daemon.address('remote'));
        const { body } = await client.request('GET', '/images/by-file');
        client.close();
        assert.equal(body.length, 4096);
      },
    );
  });

  test('fails with one line when a ticket is not valid, naming the key', async () => {
    const text = await failure(async (folder) => {
      await writeFile(folder.file('ticket.json'), '{"uuid": "x", "size": -1}');
      return { args: ['--ticket', folder.file('ticket.json')] };
    });
    assert.match(text, /exit code 1/);
    assert.match(text, /Cannot start: .*Invalid ticket: /);
    assert.doesNotMatch(text, /^\s+at /m);
  });

  test('takes overrides from the environment', async () => {
    await withDaemon(
      async () => ({ env: { IMAGEIO_LOCAL__ENABLE: 'false' } }),
      async (daemon) => {
        assert.throws(() => daemon.address('local'), /has no local listener/);
        const client = new ImagesClient(daemon.address('remote'));
        assert.equal((await client.capabilities('*')).unix_socket, undefined);
        client.close();
      },
    );
  });

  test('fails with one line when a port is taken, and leaves no socket behind', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    let controlSocket = '';
    const text = await failure(async (folder) => {
      controlSocket = folder.file('daemon.sock');
      return { configuration: { remote: { port } } };
    });
    other.close();
    assert.match(text, /exit code 1/);
    assert.match(text, /Cannot start: Error: Cannot open the remote listener: .*EADDRINUSE/);
    assert.equal(existsSync(controlSocket), false);
  });

  test('fails with one line when a key cannot be read, naming the option', async () => {
    const text = await failure(async (folder) => ({
      configuration: { tls: { key_file: folder.file('none.key') } },
    }));
    assert.match(text, /exit code 1/);
    assert.match(text, /Cannot start: Error: Cannot read \[tls\] key_file/);
  });

  test('removes the control socket at the end, and exits with 0', async () => {
    let controlSocket = '';
    await withDaemon(
      async (folder) => {
        controlSocket = folder.file('daemon.sock');
        return {};
      },
      async (daemon) => {
        assert.equal(existsSync(controlSocket), true);
        assert.deepEqual(await daemon.program.stop(), { code: 0, signal: null });
        assert.equal(existsSync(controlSocket), false);
      },
    );
  });

  describe('under systemd', { skip: needs('python3') }, () => {
    const systemd: Configuration = { daemon: { systemd_enable: true } };
    let managerFolder: TemporaryFolder;
    let manager: Program;
    let notifySocket: string;

    before(async () => {
      managerFolder = await TemporaryFolder.create();
      notifySocket = managerFolder.file('notify');
      manager = await Program.start('python3', ['-c', managerProgram, notifySocket]);
      await manager.waitForLine((line) => (line === 'bound' ? true : undefined), 'the manager to listen');
    });
    after(async () => {
      await manager.kill();
      await managerFolder[Symbol.asyncDispose]();
    });

    const received = (state: string) =>
      manager.waitForLine((line) => (line === state ? true : undefined), `the manager to hear ${state}`);

    test('says nothing when it cannot start', async () => {
      const other = createServer().listen(0, '127.0.0.1');
      await once(other, 'listening');
      const { port } = other.address() as AddressInfo;
      await failure(async () => ({
        configuration: { ...systemd, remote: { port } },
        env: { NOTIFY_SOCKET: notifySocket },
      }));
      other.close();
      assert.deepEqual(manager.lines, ['bound']);
    });

    test('says that it is ready when every listener takes connections, and that it stops', async () => {
      // So that it is known before the daemon tells.
      const port = await freePort();
      folder = await TemporaryFolder.create();
      const starting = startDaemon({
        folder: folder.path,
        pki,
        configuration: { ...systemd, remote: { port } },
        env: { NOTIFY_SOCKET: notifySocket },
      });
      await received('READY=1');
      for (const where of [{ port, host: '127.0.0.1' }, { path: folder.file('daemon.sock') }]) {
        const socket = connect(where as { path: string });
        await once(socket, 'connect');
        socket.destroy();
      }
      const daemon = await starting;
      await daemon.stop();
      await received('STOPPING=1');
      await folder[Symbol.asyncDispose]();
    });
  });
});
