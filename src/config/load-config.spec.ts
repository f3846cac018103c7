import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';

import { ConfigError } from './config-error.js';
import { loadConfig, type LoadedConfig } from './load-config.js';

const tls = '[tls]\nkey_file = /key.pem\ncert_file = /cert.pem\n';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function write(files: Record<string, string | Uint8Array>): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
}

function load(
  environment: Record<string, string> = {},
  options: { incompleteAllowed?: boolean } = {},
): LoadedConfig {
  return loadConfig({
    role: 'daemon',
    confDir: join(folder, 'etc'),
    vendorDir: join(folder, 'usr'),
    environment,
    ...options,
  });
}

test('merges the files of both folders in the order of their base names', () => {
  write({
    'etc/conf.d/50-vdsm.conf': `${tls}[remote]\nport = 2\n[daemon]\nmax_connections = 2`,
    'usr/conf.d/10-package.conf': '[remote]\nport = 1\nhost = 127.0.0.1',
    'usr/conf.d/60-package.conf': '[daemon]\nmax_connections = 3',
  });
  const { config, files } = load();
  assert.equal(config.remote.host, '127.0.0.1');
  assert.equal(config.remote.port, 2);
  assert.equal(config.daemon.connectionsMax, 3);
  assert.deepEqual(files, [
    join(folder, 'usr/conf.d/10-package.conf'),
    join(folder, 'etc/conf.d/50-vdsm.conf'),
    join(folder, 'usr/conf.d/60-package.conf'),
  ]);
});

test('merges two files of one name, that of the administrator last', () => {
  write({
    'etc/conf.d/50.conf': `${tls}[remote]\nport = 2`,
    'usr/conf.d/50.conf': '[remote]\nport = 1\nhost = 127.0.0.1',
  });
  const { config } = load();
  assert.equal(config.remote.port, 2);
  assert.equal(config.remote.host, '127.0.0.1');
});

test('reads only files that end in .conf and are not hidden', () => {
  write({
    'etc/conf.d/a.conf': tls,
    'etc/conf.d/b.conf.rpmsave': '[remote]\nport = 1',
    'etc/conf.d/.c.conf': '[remote]\nport = 1',
    'etc/other.conf': '[remote]\nport = 1',
  });
  assert.equal(load().config.remote.port, 54322);
});

test('names the pattern when the administrator has no file, even if the package has one', () => {
  write({ 'usr/conf.d/10.conf': tls });
  assert.throws(() => load(), {
    name: 'ConfigError',
    message: `no configuration file matches ${join(folder, 'etc/conf.d/*.conf')}`,
  });
  mkdirSync(join(folder, 'etc/conf.d'), { recursive: true });
  assert.throws(() => load(), ConfigError);
});

test('lets the environment win over all files', () => {
  write({ 'etc/conf.d/99.conf': `${tls}[remote]\nport = 2` });
  assert.equal(load({ IMAGEIO_REMOTE__PORT: '0' }).config.remote.port, 0);
});

test('names file, line, section, option and reason of a wrong value', () => {
  write({ 'etc/conf.d/a.conf': `${tls}[remote]\nport = many` });
  assert.throws(() => load(), {
    message:
      `${join(folder, 'etc/conf.d/a.conf')}:5: [remote] port: ` +
      'expected a port from 0 to 65535, got "many"',
  });
});

test('stops when TLS is on without key and certificate, unless the configuration is only shown', () => {
  write({ 'etc/conf.d/a.conf': '[tls]\nkey_file =\n' });
  assert.throws(() => load(), {
    message:
      `${join(folder, 'etc/conf.d/a.conf')}:2: [tls] key_file: is empty while TLS is enabled: ` +
      'set it, or [tls] enable = false\n' +
      '[tls] cert_file: is empty while TLS is enabled: set it, or [tls] enable = false',
  });
  assert.equal(load({}, { incompleteAllowed: true }).config.tls.keyFile, '');
});

test('warns once about each unknown section and option, without its value', () => {
  write({
    'etc/conf.d/a.conf': `${tls}[remote]\nprot = s3cret\n[nonsense]\na = s3cret\nb = 2\n`,
    'etc/conf.d/b.conf': '[remote]\nprot = 2\n[nonsense]\na = 1\n[empty]\n',
  });
  assert.deepEqual(load({ IMAGEIO_REMOTE__PROT: '3', IMAGEIO_TLS__KEY: 's3cret' }).warnings, [
    `${join(folder, 'etc/conf.d/a.conf')}:6: unknown section [nonsense] is ignored`,
    `${join(folder, 'etc/conf.d/b.conf')}:5: unknown section [empty] is ignored`,
    `${join(folder, 'etc/conf.d/a.conf')}:5: unknown option [remote] prot is ignored`,
    'IMAGEIO_TLS__KEY: unknown option [tls] key is ignored',
  ]);
});

test('says once of each option that has no effect any more why, whatever its value is', () => {
  write({
    'etc/conf.d/a.conf': `${tls}[daemon]\npoll_interval = 1.0\n[backend_nbd]\nbuffer_size = s3cret\n`,
    'etc/conf.d/b.conf': '[profile]\nfilename = /run/profile\n[backend_nbd]\nbuffer_size = 4096\n',
  });
  assert.deepEqual(load({ IMAGEIO_BACKEND_HTTP__BUFFER_SIZE: '1' }).warnings, [
    `${join(folder, 'etc/conf.d/a.conf')}:5: [daemon] poll_interval is ignored: ` +
      'Nothing polls here: the service waits on events.',
    `${join(folder, 'etc/conf.d/a.conf')}:7: [backend_nbd] buffer_size is ignored: The most bytes of ` +
      'one read or write are those of a buffer, which [limits] buffer_bytes says for all images.',
    `${join(folder, 'etc/conf.d/b.conf')}:2: [profile] filename is ignored: ` +
      'There is no built-in profiler; use those of Node.js.',
    'IMAGEIO_BACKEND_HTTP__BUFFER_SIZE: [backend_http] buffer_size is ignored: ' +
      'What is relayed passes through the buffers of [limits] relay_buffer_bytes.',
  ]);
});

test('says once of Python logging where the log goes, and is silent about the rest of it', () => {
  write({
    'etc/conf.d/a.conf': `${tls}
[loggers]
keys = root
[handlers]
keys = logfile
[formatters]
keys = long
[logger_root]
level = DEBUG
handlers = logfile
propagate = 0
[handler_logfile]
class = logging.handlers.RotatingFileHandler
args = ("/var/log/daemon.log",
    "a")
[formatter_long]
format = %(asctime)s %(message)s
`,
  });
  const { config, warnings } = load();
  assert.deepEqual(warnings, [
    `${join(folder, 'etc/conf.d/a.conf')}:8: [handlers] keys, [logger_root] handlers, ` +
      '[handler_logfile] class, [handler_logfile] args are ignored: the log goes to standard error, ' +
      'which systemd keeps in the journal',
  ]);
  assert.equal(config.logging.level, 'debug');
});

test('says nothing of Python logging that goes to standard error anyway', () => {
  write({
    'etc/conf.d/a.conf': `${tls}[handlers]\nkeys = stderr\n[logger_root]\nhandlers = stderr\npropagate = 0\n`,
  });
  assert.deepEqual(load().warnings, []);
});

test('treats names of JavaScript objects like any unknown one', () => {
  write({ 'etc/conf.d/a.conf': `${tls}[__proto__]\nx = 1\n[remote]\nconstructor = 1\n__proto__ = 1\n` });
  assert.equal(load().warnings.length, 3);
});

test('passes on warnings about choices that weaken the service', () => {
  write({ 'etc/conf.d/a.conf': '[tls]\nenable = false' });
  assert.deepEqual(load().warnings, [
    '[tls] enable is false: ticket ids and images can be read on the network',
  ]);
});

test('names a file that is not UTF-8, and one that cannot be read', () => {
  write({ 'etc/conf.d/a.conf': Uint8Array.of(0x5b, 0xff, 0x5d) });
  const path = join(folder, 'etc/conf.d/a.conf');
  assert.throws(() => load(), { name: 'ConfigError', message: `${path}: is not UTF-8` });

  rmSync(path);
  mkdirSync(path);
  assert.throws(() => load(), {
    name: 'ConfigError',
    message: new RegExp(`^${path}: cannot be read: EISDIR`),
  });
});
