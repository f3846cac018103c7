import assert from 'node:assert/strict';
import { copyFile, mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { once } from 'node:events';
import { randomUUID, X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import { describe, test } from 'node:test';
import { ImagesClient, imagePath } from '../support/client.js';
import { connectOptions } from '../support/address.js';
import { eventually } from '../support/deadline.js';
import { writeRandomImage } from '../support/images.js';
import { Pki, type Identity } from '../support/pki.js';
import { startDaemon, startProxy, type Service } from '../support/processes.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { Engine } from '../support/engine.js';
import { DaemonUnderTest } from './daemon-under-test.js';
import { monitored, Scrape } from './monitoring.js';
import { parseAnswer, requestBytes } from './raw-answers.js';

/** Sends SIGHUP, and waits for a record of it. */
async function reload(service: Service, outcome: RegExp): Promise<void> {
  const before = service.program.lines.length;
  service.program.signal('SIGHUP');
  await eventually(
    () => service.program.lines.slice(before).find((line) => outcome.test(line)),
    `the ${service.role} to say ${String(outcome)}`,
  );
}

/** The certificate that a new connection sees. */
async function certificateOf(service: Service): Promise<string> {
  const socket = connect({ ...connectOptions(service.address('remote')), session: undefined });
  await once(socket, 'secureConnect');
  const { raw } = socket.getPeerCertificate();
  socket.destroy();
  return new X509Certificate(raw).serialNumber;
}

function serialOf({ certPem }: Identity): string {
  return new X509Certificate(certPem).serialNumber;
}

/** Where the daemon of a fixture has its certificate. */
function filesOf({ folder }: Pki): Pick<Identity, 'certFile' | 'keyFile'> {
  return { certFile: join(folder, 'daemon.pem'), keyFile: join(folder, 'daemon.key') };
}

/** Puts another certificate where the service reads its own. */
async function replace(old: Pick<Identity, 'certFile' | 'keyFile'>, by: Identity): Promise<void> {
  await copyFile(by.certFile, old.certFile);
  await copyFile(by.keyFile, old.keyFile);
}

/** Only signals reload. */
const unwatched = { tls: { reload_interval_sec: 0 } };

const certificateReloaded = /Reloaded the certificate of the remote listener/;
const certificateKept =
  /"level":"error".*Cannot reload the certificate of the remote listener, the old one stays: /;

describe('a daemon that gets SIGHUP', () => {
  test('shows its new certificate to new connections, and goes on with those that are open', async () => {
    await using fixture = await DaemonUnderTest.start({ ...monitored, ...unwatched });
    const { daemon, pki } = fixture;
    const first = await certificateOf(daemon);
    const ticket = await fixture.addImage(8);
    const socket = await fixture.connect();
    await socket.send(requestBytes('PUT', ticket.path, ['Content-Length: 8', 'Connection: close'], 'half'));
    await fixture.ticketState(ticket, ({ active }) => active, 'the upload runs');

    const notAfter = new Date('2040-01-01T00:00:00Z');
    const renewed = await pki.issueHost('renewed', { notAfter });
    await replace(filesOf(pki), renewed);
    assert.equal(await certificateOf(daemon), first);
    await reload(daemon, certificateReloaded);
    assert.equal(await certificateOf(daemon), serialOf(renewed));
    assert.notEqual(serialOf(renewed), first);

    await socket.send('half');
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 200);
    assert.equal((await fixture.contentOf(ticket)).toString(), 'halfhalf');
    const scrape = await Scrape.of(daemon);
    assert.equal(
      scrape.sum('imageio_tls_certificate_expiry_timestamp_seconds', { listener: 'remote' }),
      notAfter.getTime() / 1000,
    );
    await daemon.stop();
  });

  test('keeps its certificate when the new one is broken, and says so in one line', async () => {
    await using fixture = await DaemonUnderTest.start(unwatched);
    const { daemon, pki } = fixture;
    const first = await certificateOf(daemon);
    const { certFile, keyFile } = filesOf(pki);
    const other = await pki.issueHost('other');
    const breakages: readonly [string, () => Promise<void>][] = [
      ['a certificate that is not the key’s', () => copyFile(other.certFile, certFile)],
      ['a certificate that is none', () => writeFile(certFile, 'nonsense')],
      ['an empty certificate', () => writeFile(certFile, '')],
    ];
    for (const [what, breakIt] of breakages) {
      await breakIt();
      const errors = daemon.log.filter(({ level }) => level === 'error').length;
      await reload(daemon, certificateKept);
      assert.equal(daemon.log.filter(({ level }) => level === 'error').length, errors + 1, what);
      assert.equal(await certificateOf(daemon), first, what);
    }
    await replace({ certFile, keyFile }, other);
    await reload(daemon, certificateReloaded);
    assert.equal(await certificateOf(daemon), serialOf(other));
    assert.ok(!daemon.logText.includes('PRIVATE KEY'));
  });

  test('takes another log level, and keeps the old one when the configuration is wrong', async () => {
    await using fixture = await DaemonUnderTest.start();
    const { daemon } = fixture;
    const file = fixture.folder.file('daemon/conf.d/50-test.conf');
    const text = await readFile(file, 'utf8');
    assert.equal(daemon.log.filter(({ level }) => level === 'debug').length, 0);
    await writeFile(file, `${text}\n[logging]\nlevel = loud\n`);
    await reload(
      daemon,
      /"level":"error".*Cannot reload the configuration, nothing has changed: .*\[logging\] level/,
    );
    await writeFile(file, `${text}\n[logging]\nlevel = debug\n`);
    await reload(daemon, certificateReloaded);
    const client = fixture.client();
    assert.equal((await client.request('GET', '/info/')).status, 200);
    // A handshake that fails is told at level debug only.
    await assert.rejects(fixture.connect('remote', { maxVersion: 'TLSv1.1', minVersion: 'TLSv1' }));
    await eventually(() => daemon.log.find(({ level }) => level === 'debug'), 'a debug record');
  });
});

describe('a daemon whose configuration has changed when it gets SIGHUP', () => {
  test('names the options that need a restart, and no value, until they are as they were', async () => {
    await using fixture = await DaemonUnderTest.start(unwatched);
    const { daemon } = fixture;
    const file = fixture.folder.file('daemon/conf.d/50-test.conf');
    const text = await readFile(file, 'utf8');
    const changes = [
      '[remote]\nport = 54399',
      '[limits]\ntickets = 17',
      '[limits]\nlinger_sec = 1.5',
      '[local]\nenable = false',
      '[proxy]\nsession_store = redis://:s3cret@localhost',
      '[logging]\nlevel = error\n[tls]\nreload_interval_sec = 0.05\nenable_tls1_1 = yes',
      '[nonsense]\nx = 1',
    ];
    const names =
      '[remote] port, [local] enable, [proxy] session_store, [limits] linger_sec, [limits] tickets';
    await writeFile(file, `${text}\n${changes.slice(0, 5).join('\n')}\n${changes[6] ?? ''}\n`);
    for (const count of [1, 2]) {
      await reload(daemon, /not taken before a restart/);
      const warnings = daemon.log.filter(({ level }) => level === 'warn').map(({ msg }) => String(msg));
      assert.deepEqual(
        warnings.filter((msg) => msg.includes('restart')),
        Array.from({ length: count }, () => `Changed, but not taken before a restart: ${names}`),
      );
      assert.equal(warnings.filter((msg) => msg.endsWith('unknown section [nonsense] is ignored')).length, 1);
    }
    assert.ok(!daemon.logText.includes('s3cret'));

    // What is taken is not named; the files are looked at from now on.
    await writeFile(file, `${text}\n${(changes[5] ?? '').replace('error', 'info')}\n`);
    await reload(daemon, certificateReloaded);
    const renewed = await fixture.pki.issueHost('renewed');
    await replace(filesOf(fixture.pki), renewed);
    await eventually(
      async () => (await certificateOf(daemon)) === serialOf(renewed) || undefined,
      'new connections see the renewed certificate',
    );
    assert.equal(daemon.log.filter(({ msg }) => String(msg).includes('restart')).length, 2);
    await daemon.stop();
  });

  test('looks at other files when they have other names', async () => {
    await using fixture = await DaemonUnderTest.start({ tls: { reload_interval_sec: 0.05 } });
    const { daemon, pki, folder } = fixture;
    const file = folder.file('daemon/conf.d/50-test.conf');
    const moved = await pki.issueHost('moved');
    const { certFile, keyFile } = moved;
    await writeFile(
      file,
      `${await readFile(file, 'utf8')}\n[tls]\ncert_file = ${certFile}\nkey_file = ${keyFile}\n`,
    );
    await reload(daemon, certificateReloaded);
    assert.equal(await certificateOf(daemon), serialOf(moved));
    const renewed = await pki.issueHost('renewed');
    await replace(moved, renewed);
    await eventually(
      async () => (await certificateOf(daemon)) === serialOf(renewed) || undefined,
      'new connections see the renewed certificate',
    );
    await daemon.stop();
  });
});

describe('a daemon whose certificate is renewed', () => {
  test('shows the new one without a signal, also when Kubernetes renews a mounted secret', async () => {
    await using fixture = await DaemonUnderTest.start({ tls: { reload_interval_sec: 0.1 } });
    const { daemon, pki, folder } = fixture;
    const { certFile, keyFile } = filesOf(pki);
    const renewed = await pki.issueHost('renewed');
    await replace({ certFile, keyFile }, renewed);
    await eventually(
      async () => (await certificateOf(daemon)) === serialOf(renewed) || undefined,
      'new connections see the renewed certificate',
    );
    // The files become links through a folder that is a link itself, which is then
    // replaced by another in one step.
    const [first, second] = [await pki.issueHost('first'), await pki.issueHost('second')];
    for (const [index, { certFile: cert, keyFile: key }] of [first, second].entries()) {
      const content = await subfolder(folder, index);
      await copyFile(cert, join(content, 'tls.crt'));
      await copyFile(key, join(content, 'tls.key'));
    }
    const data = folder.file('data');
    await symlink('daemon-0', data);
    for (const [link, name] of [
      [certFile, 'tls.crt'],
      [keyFile, 'tls.key'],
    ] as const) {
      await symlink(join(data, name), `${link}.new`);
      await rename(`${link}.new`, link);
    }
    await eventually(
      async () => (await certificateOf(daemon)) === serialOf(first) || undefined,
      'new connections see the certificate behind the links',
    );
    await symlink('daemon-1', `${data}.new`);
    await rename(`${data}.new`, data);
    await eventually(
      async () => (await certificateOf(daemon)) === serialOf(second) || undefined,
      'new connections see the certificate that came with the folder',
    );
  });
});

describe('a proxy that gets SIGHUP', () => {
  test('believes daemons by the new authority, and not by the old one any more', async () => {
    await using folder = await TemporaryFolder.create();
    const [oldPki, newPki] = [
      await Pki.create(folder.file('old'), 'A'),
      await Pki.create(folder.file('new'), 'A'),
    ];
    const identity = await oldPki.issueEngine();
    const engine = new Engine(identity);
    await using stack = new AsyncDisposableStack();
    const authorities = folder.file('authorities.pem');
    await copyFile(oldPki.caFile, authorities);
    const image = folder.file('image');
    await writeRandomImage(image, 4096);
    const daemons: Service[] = [];
    for (const pki of [oldPki, newPki]) {
      const daemon = await startDaemon({ folder: await subfolder(folder, daemons.length), pki });
      stack.defer(() => daemon.stop());
      daemons.push(daemon);
    }
    const proxy = await startProxy({
      folder: folder.path,
      pki: oldPki,
      engine: identity,
      configuration: { backend_http: { ca_file: authorities } },
    });
    stack.defer(() => proxy.stop());
    const client = new ImagesClient(proxy.address('remote'));
    stack.defer(() => {
      client.close();
    });
    const statuses = () =>
      Promise.all(
        daemons.map(async (daemon) => {
          const ticketId = randomUUID();
          await daemon.vdsm.addTicket({
            uuid: ticketId,
            size: 4096,
            ops: ['read'],
            timeout: 300,
            url: `file://${image}`,
          });
          const signedTicket = engine.signTransfer({ ticketId, imagedUri: daemon.url });
          const headers = { Authorization: signedTicket };
          return (await client.request('GET', imagePath(ticketId), { headers })).status;
        }),
      );
    assert.deepEqual(await statuses(), [200, 502]);
    await copyFile(newPki.caFile, authorities);
    await reload(proxy, /Reloaded the authorities/);
    // Also the connection that was kept from before is not used.
    assert.deepEqual(await statuses(), [502, 200]);
    await writeFile(authorities, 'nonsense');
    await reload(proxy, /"level":"error".*Cannot reload the authorities/);
    assert.deepEqual(await statuses(), [502, 200]);
  });
});

async function subfolder(folder: TemporaryFolder, index: number): Promise<string> {
  const path = folder.file(`daemon-${index}`);
  await mkdir(path);
  return path;
}
