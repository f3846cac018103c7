import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';

import { NotifyError, notifyReady, notifyStopping } from './systemd.js';

// Node cannot receive unix datagrams, so the service manager is played by a program in Python.
const receiverProgram = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
name = sys.argv[1]
s.bind("\\0" + name[1:] if name.startswith("@") else name)
print("bound", flush=True)
while True:
    print(s.recv(4096).decode(), flush=True)
`;

class Receiver {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(notifySocket: string) {
    this.#process = spawn('python3', ['-c', receiverProgram, notifySocket], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#lines = createInterface({ input: this.#process.stdout! })[Symbol.asyncIterator]();
  }

  async next(): Promise<string> {
    const line = await this.#lines.next();
    assert.equal(line.done, false);
    return line.value;
  }

  stop(): void {
    this.#process.kill();
  }
}

let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'notify-'));
});

after(() => {
  rmSync(folder, { recursive: true });
});

for (const [kind, nameOf] of [
  ['a path', () => join(folder, 'notify')],
  ['an abstract name', () => `@imageio-test-${randomBytes(8).toString('hex')}`],
] as const) {
  test(`tells a service manager at ${kind} that it is ready and that it stops`, async () => {
    const notifySocket = nameOf();
    const receiver = new Receiver(notifySocket);
    try {
      assert.equal(await receiver.next(), 'bound');
      assert.equal(notifyReady(notifySocket), true);
      assert.equal(await receiver.next(), 'READY=1');
      assert.equal(notifyStopping(notifySocket), true);
      assert.equal(await receiver.next(), 'STOPPING=1');
    } finally {
      receiver.stop();
    }
  });
}

test('tells nobody when there is no service manager', () => {
  assert.equal(notifyReady(undefined), false);
  assert.equal(notifyStopping(''), false);
});

describe('refuses', () => {
  test('a path where nobody receives, naming the failure', () => {
    const notifySocket = join(folder, 'missing');
    assert.throws(
      () => notifyReady(notifySocket),
      new NotifyError(`Cannot send READY=1 to ${notifySocket}: ENOENT`),
    );
  });

  test('an abstract name where nobody receives', () => {
    assert.throws(() => notifyReady('@imageio-test-missing'), {
      name: 'NotifyError',
      message: /ECONNREFUSED$/,
    });
  });

  test('an address of another kind', () => {
    assert.throws(() => notifyReady('vsock:2:1234'), {
      message: 'NOTIFY_SOCKET vsock:2:1234 is neither a path nor an abstract socket',
    });
  });

  test('a name that no socket can have', () => {
    assert.throws(() => notifyReady(`/${'x'.repeat(107)}`), { name: 'NotifyError', message: /is too long$/ });
  });
});
