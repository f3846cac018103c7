import assert from 'node:assert/strict';
import { test } from 'node:test';

import { helpText, parseCommandLine } from './command-line.js';

test('starts a daemon with the configuration in /etc when nothing is asked for', () => {
  assert.deepEqual(parseCommandLine([]), {
    action: 'start',
    role: 'daemon',
    confDir: '/etc/ovirt-imageio',
    ticketFiles: [],
  });
});

test('takes role, folder and tickets in their long and short forms', () => {
  const expected = { action: 'start', role: 'proxy', confDir: '/conf', ticketFiles: ['a.json', 'b.json'] };
  assert.deepEqual(
    parseCommandLine(['--role', 'proxy', '--conf-dir', '/conf', '--ticket=a.json', '--ticket', 'b.json']),
    expected,
  );
  assert.deepEqual(parseCommandLine(['--role=proxy', '-c', '/conf', '-t', 'a.json', '-tb.json']), expected);
});

test('shows the configuration of either role', () => {
  assert.deepEqual(parseCommandLine(['--show-config', '-c', '/conf', '--role=proxy']), {
    action: 'show-config',
    role: 'proxy',
    confDir: '/conf',
  });
});

test('shows help and version whatever else is asked for', () => {
  assert.deepEqual(parseCommandLine(['--role=none', '--help', '--version']), { action: 'help' });
  assert.deepEqual(parseCommandLine(['-h']), { action: 'help' });
  assert.deepEqual(parseCommandLine(['--show-config', '--version']), { action: 'version' });
});

for (const [args, message] of [
  [['--role', 'server'], /--role is "server", expected daemon or proxy/],
  [['--frob'], /--frob/],
  [['start'], /start/],
  [['--conf-dir'], /--conf-dir/],
  [['--conf-dir='], /--conf-dir is empty/],
  [['--ticket='], /--ticket is empty/],
  [['--show-config=yes'], /--show-config/],
] as const) {
  test(`refuses ${args.join(' ')} and points to the help`, () => {
    const parsed = parseCommandLine(args);
    assert.ok(parsed.action === 'refuse');
    assert.match(parsed.message, message);
    assert.match(parsed.message, /^ovirt-imageio: /);
    assert.match(parsed.message, /Try 'ovirt-imageio --help'\.$/);
  });
}

test('has help for every option', () => {
  for (const option of [
    '-c, --conf-dir',
    '--role',
    '-t, --ticket',
    '--show-config',
    '--version',
    '-h, --help',
  ]) {
    assert.ok(helpText.includes(option), option);
  }
});
