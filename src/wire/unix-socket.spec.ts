import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createConnection, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';

import { listenOnUnixSocket, unixAddress } from './unix-socket.js';

let folder: string;
let path: string;
let servers: Server[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'unix-'));
  path = join(folder, 'sock');
  servers = [];
});

afterEach(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true });
});

/** A server that greets with its name. */
function greeter(name: string): Server {
  const server = createServer((socket) => {
    // Whoever only looks whether somebody is there leaves without reading.
    socket.on('error', () => socket.destroy());
    socket.end(name);
  });
  servers.push(server);
  return server;
}

async function greetingAt(address: string): Promise<string> {
  const socket = createConnection(address);
  let greeting = '';
  for await (const chunk of socket) greeting += String(chunk);
  return greeting;
}

async function close(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}

/** Leaves a socket file without a server behind, as a killed process does. */
async function leaveStaleSocket(): Promise<void> {
  const program = `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('bound'))`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.ok(lstatSync(path).isSocket());
}

describe('unixAddress', () => {
  test('tells paths and abstract names apart', () => {
    assert.deepEqual(unixAddress('/run/sock'), { kind: 'path', address: '/run/sock' });
    assert.deepEqual(unixAddress('\0/org/ovirt/imageio'), {
      kind: 'abstract',
      address: '\0/org/ovirt/imageio',
    });
  });

  test('makes another abstract name each time for an empty one', () => {
    const [first, second] = [unixAddress(''), unixAddress('')];
    assert.equal(first.kind, 'abstract');
    assert.match(first.address, /^\0.+/);
    assert.notEqual(first.address, second.address);
  });
});

describe('a path', () => {
  test('is listened on, with mode 0660 and no other file left', async () => {
    const umask = process.umask(0);
    try {
      await listenOnUnixSocket(greeter('a'), unixAddress(path));
    } finally {
      assert.equal(process.umask(umask), 0);
    }
    assert.equal(lstatSync(path).mode & 0o777, 0o660);
    assert.deepEqual(readdirSync(folder), ['sock']);
    assert.equal(await greetingAt(path), 'a');
  });

  test('has the mode that is asked for, whatever the umask', async () => {
    const umask = process.umask(0o077);
    try {
      await listenOnUnixSocket(greeter('a'), unixAddress(path), 0o666);
    } finally {
      process.umask(umask);
    }
    assert.equal(lstatSync(path).mode & 0o777, 0o666);
  });

  test('is taken over from a process that was killed', async () => {
    await leaveStaleSocket();
    await listenOnUnixSocket(greeter('successor'), unixAddress(path));
    assert.equal(await greetingAt(path), 'successor');
  });

  test('is not taken from a live server', async () => {
    await listenOnUnixSocket(greeter('first'), unixAddress(path));
    await assert.rejects(listenOnUnixSocket(greeter('second'), unixAddress(path)), {
      name: 'UnixSocketError',
      address: path,
      message: `Cannot listen on ${path}: another process is listening there`,
    });
    assert.equal(await greetingAt(path), 'first');
    assert.deepEqual(readdirSync(folder), ['sock']);
  });

  test('goes to exactly one of several servers that start at once', async () => {
    await leaveStaleSocket();
    const names = ['a', 'b', 'c', 'd'];
    const outcomes = await Promise.allSettled(
      names.map((name) => listenOnUnixSocket(greeter(name), unixAddress(path))),
    );
    const winners = names.filter((_, index) => outcomes[index]?.status === 'fulfilled');
    assert.equal(winners.length, 1);
    assert.equal(await greetingAt(path), winners[0]);
    assert.deepEqual(readdirSync(folder), ['sock']);
  });

  for (const [kind, make] of [
    [
      'regular file',
      () => {
        writeFileSync(path, 'data');
      },
    ],
    [
      'symbolic link',
      () => {
        symlinkSync('elsewhere', path);
      },
    ],
  ] as const) {
    test(`is refused and left alone when it is a ${kind}`, async () => {
      make();
      const before = lstatSync(path);
      await assert.rejects(listenOnUnixSocket(greeter('a'), unixAddress(path)), {
        message: `Cannot listen on ${path}: the file there is not a socket`,
      });
      assert.equal(lstatSync(path).ino, before.ino);
    });
  }

  test('is refused when its folder does not exist', async () => {
    const missing = join(folder, 'missing', 'sock');
    await assert.rejects(listenOnUnixSocket(greeter('a'), unixAddress(missing)), {
      message: `Cannot listen on ${missing}: its folder does not exist`,
    });
  });
});

describe('removing the file', () => {
  test('takes away the own one, once', async () => {
    const server = greeter('a');
    const bound = await listenOnUnixSocket(server, unixAddress(path));
    assert.equal(bound.removeFile(), true);
    assert.equal(existsSync(path), false);
    assert.equal(bound.removeFile(), false);
    await close(server);
  });

  test('spares the file of a successor, and so does closing the server', async () => {
    const server = greeter('first');
    const bound = await listenOnUnixSocket(server, unixAddress(path));
    unlinkSync(path);
    await listenOnUnixSocket(greeter('second'), unixAddress(path));

    assert.equal(bound.removeFile(), false);
    await close(server);
    assert.equal(await greetingAt(path), 'second');
  });

  test('does nothing when the file was moved away', async () => {
    const bound = await listenOnUnixSocket(greeter('a'), unixAddress(path));
    renameSync(path, join(folder, 'moved'));
    assert.equal(bound.removeFile(), false);
    assert.deepEqual(readdirSync(folder), ['moved']);
  });
});

describe('an abstract name', () => {
  test('is listened on under exactly that name, without a file', async () => {
    const address = unixAddress('');
    const bound = await listenOnUnixSocket(greeter('a'), address);
    assert.equal(await greetingAt(address.address), 'a');
    // The kernel lists names with NUL as @; one padded to the full length would end in more of them.
    const names = readFileSync('/proc/net/unix', 'utf8')
      .split('\n')
      .map((line) => line.split(' ').at(-1));
    assert.ok(names.includes(address.address.replace('\0', '@')));
    assert.equal(bound.removeFile(), false);
  });

  test('is refused when a live server has it', async () => {
    const address = unixAddress('');
    await listenOnUnixSocket(greeter('first'), address);
    await assert.rejects(listenOnUnixSocket(greeter('second'), address), {
      name: 'UnixSocketError',
      message: `Cannot listen on ${address.address.replace('\0', '@')}: another process is listening there`,
    });
  });
});
