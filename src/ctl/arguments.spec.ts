import assert from 'node:assert/strict';
import { test } from 'node:test';
import { helpText, parseCommandLine } from './arguments.js';

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
  { args: ['mod-ticket', 'a', '--timeout', '1.5'], reason: '--timeout must be a number of whole seconds' },
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
