import assert from 'node:assert/strict';
import { test } from 'node:test';
import { helpText, parseCommandLine } from './arguments.js';

const signing = ['--imaged-uri', 'https://h', '--key', 'k', '--cert', 'c'];

const commandOf = (...args: string[]) => {
  const line = parseCommandLine(args);
  assert.ok(line.action === 'run', JSON.stringify(line));
  return line.command;
};

test('understands each command with its options', () => {
  assert.deepEqual(commandOf('add-ticket', '-'), { name: 'add-ticket', file: '-' });
  assert.deepEqual(commandOf('show-ticket', 't', '-o', 'json'), {
    name: 'show-ticket',
    id: 't',
    output: 'json',
  });
  assert.deepEqual(commandOf('list-tickets'), {
    name: 'list-tickets',
    output: 'text',
    watchSeconds: undefined,
  });
  assert.deepEqual(commandOf('list-tickets', '-w', '--interval', '5'), {
    name: 'list-tickets',
    output: 'text',
    watchSeconds: 5,
  });
  assert.deepEqual(commandOf('mod-ticket', '--timeout', '0', 't'), {
    name: 'mod-ticket',
    id: 't',
    timeoutSeconds: 0,
  });
  assert.deepEqual(commandOf('del-ticket', 't'), { name: 'del-ticket', id: 't' });
  assert.deepEqual(
    commandOf('sign-ticket', 't', '--imaged-uri', 'https://h:1', '--key', 'k', '--cert', 'c'),
    {
      name: 'sign-ticket',
      id: 't',
      imagedUri: 'https://h:1',
      keyFile: 'k',
      certFile: 'c',
      lifetimeSeconds: 3600,
    },
  );
});

test('takes both tickets of a copy, and how to copy', () => {
  const plain = { name: 'copy', source: 's', target: 't', dirty: false, verify: false, output: 'text' };
  assert.deepEqual(commandOf('copy', 's', 't'), plain);
  assert.deepEqual(commandOf('copy', '--dirty', 's', '--verify', 't', '-o', 'json'), {
    ...plain,
    dirty: true,
    verify: true,
    output: 'json',
  });
});

test('takes what is to be served, for an hour unless it is told otherwise', () => {
  const plain = {
    ...{ name: 'serve', path: 'd', format: undefined, writable: false, bitmap: undefined },
    ...{ ttlSeconds: 3600, idleSeconds: 300, host: undefined, port: undefined },
    ...{ isPrivate: false, output: 'text' },
  };
  assert.deepEqual(commandOf('serve', 'd'), plain);
  assert.deepEqual(commandOf('serve', 'd', '--write', '--format', 'qcow2', '--ttl', '2d', '--idle', '90'), {
    ...plain,
    ...{ writable: true, format: 'qcow2', ttlSeconds: 172_800, idleSeconds: 90 },
  });
});

test('leaves it to the terminal how a ticket is shown, and takes the commands of a profiler', () => {
  assert.deepEqual(commandOf('show-ticket', 't'), { name: 'show-ticket', id: 't', output: undefined });
  for (const name of ['start-profile', 'stop-profile'] as const) assert.deepEqual(commandOf(name), { name });
});

test('takes numbers up to their bounds', () => {
  const numbers = [
    ['--interval', ['list-tickets', '-w'], [1, 86_400]],
    ['--timeout', ['mod-ticket', 't'], [0, 2 ** 31 - 1]],
    ['--lifetime', ['sign-ticket', 't', ...signing], [1, 315_360_000]],
  ] as const;
  for (const [option, args, bounds] of numbers)
    for (const bound of bounds)
      assert.ok(
        Object.values(commandOf(...args, option, String(bound))).includes(bound),
        `${option} ${bound}`,
      );
});

for (const [option, args, range, outside] of [
  ['--interval', ['list-tickets', '-w'], '1 to 86400', ['0', '86401']],
  ['--timeout', ['mod-ticket', 't'], '0 to 2147483647', ['2147483648']],
  ['--lifetime', ['sign-ticket', 't', ...signing], '1 to 315360000', ['0', '315360001']],
] as const) {
  test(`refuses what is no number of seconds from ${range} for ${option}`, () => {
    const bad = [
      '-1',
      '+1',
      '1e9',
      'NaN',
      'Infinity',
      '1.5',
      '0x10',
      '1_0',
      ' 1',
      '٣',
      '9'.repeat(400),
      ...outside,
    ];
    for (const value of bad) {
      const line = parseCommandLine([...args, `${option}=${value}`]);
      assert.ok(line.action === 'refuse', `${option}=${value}`);
      const reason = `${option} must be a whole number of seconds from ${range}`;
      assert.equal(line.message, `ovirt-imageioctl: ${reason}\nTry 'ovirt-imageioctl --help'.`);
    }
    for (const value of ['', '-1']) {
      assert.equal(parseCommandLine([...args, option, value]).action, 'refuse', `${option} '${value}'`);
    }
  });
}

test('takes the configuration folder and the role before or after the command', () => {
  for (const args of [
    ['-c', '/conf', '--role', 'proxy', 'list-tickets'],
    ['list-tickets', '--conf-dir', '/conf', '--role=proxy'],
  ]) {
    const line = parseCommandLine(args);
    assert.ok(line.action === 'run');
    assert.deepEqual([line.confDir, line.role], ['/conf', 'proxy']);
  }
});

const refused = [
  { args: [], reason: 'a command is missing' },
  { args: ['list'], reason: 'there is no command "list"' },
  { args: ['toString'], reason: 'there is no command "toString"' },
  { args: ['add-ticket'], reason: 'add-ticket needs FILE' },
  { args: ['del-ticket', ''], reason: 'del-ticket needs ID' },
  { args: ['del-ticket', 'a', 'b'], reason: 'del-ticket was given too much' },
  { args: ['list-tickets', 'a'], reason: 'list-tickets was given too much' },
  { args: ['del-ticket', 'a', '--watch'], reason: 'del-ticket has no option --watch' },
  { args: ['mod-ticket', 'a'], reason: '--timeout is required' },
  { args: ['copy', 'a'], reason: 'copy needs SOURCE and TARGET' },
  { args: ['copy', 'a', ''], reason: 'copy needs SOURCE and TARGET' },
  { args: ['copy', 'a', 'b', 'c'], reason: 'copy was given too much' },
  { args: ['copy', '-', '-'], reason: 'only one thing can be read from the standard input' },
  { args: ['del-ticket', 'a', '--verify'], reason: 'del-ticket has no option --verify' },
  {
    args: ['sign-ticket', '-', '--imaged-uri', 'https://h', '--key', '-', '--cert', 'c'],
    reason: 'only one thing can be read from the standard input',
  },
  {
    args: ['sign-ticket', 't', '--imaged-uri', 'https://h', '--key', '-', '--cert', '-'],
    reason: 'only one thing can be read from the standard input',
  },
  { args: ['serve'], reason: 'serve needs DISK' },
  { args: ['serve', 'd', '--format', 'ova'], reason: '--format must be raw, qcow2, vmdk, vhdx, vdi' },
  { args: ['serve', 'd', '--ttl', '0'], reason: '--ttl must be a time such as 90s, 30m, 1h or 2d' },
  { args: ['serve', 'd', '--idle', '1w'], reason: '--idle must be a time such as 90s, 30m, 1h or 2d' },
  { args: ['serve', 'd', '--ttl', '99999d'], reason: '--ttl must be a time such as 90s, 30m, 1h or 2d' },
  { args: ['serve', 'd', '--port', '65536'], reason: '--port must be from 1 to 65535' },
  { args: ['serve', 'd', '--write', '--bitmap', 'b'], reason: '--bitmap is for reading: not with --write' },
  { args: ['start-profile', 'a'], reason: 'start-profile was given too much' },
  { args: ['list-tickets', '-o', 'xml'], reason: '--output must be text or json' },
  { args: ['--role', 'engine', 'list-tickets'], reason: '--role must be daemon or proxy' },
];
for (const { args, reason } of refused) {
  test(`refuses "${args.join(' ')}": ${reason}`, () => {
    const line = parseCommandLine(args);
    assert.ok(line.action === 'refuse');
    assert.equal(line.message, `ovirt-imageioctl: ${reason}\nTry 'ovirt-imageioctl --help'.`);
  });
}

test('refuses an option that does not exist', () => {
  assert.equal(parseCommandLine(['list-tickets', '--loud']).action, 'refuse');
});

test('explains itself in lines that fit a terminal', () => {
  assert.equal(parseCommandLine(['add-ticket', '--help']).action, 'help');
  for (const line of helpText.split('\n')) assert.ok(line.length <= 80, line);
});
