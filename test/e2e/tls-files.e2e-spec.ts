import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, randomUUID, X509Certificate } from 'node:crypto';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ImagesClient, imagePath } from '../support/client.js';
import { eventually } from '../support/deadline.js';
import { Engine } from '../support/engine.js';
import { expired, Pki, type Identity } from '../support/pki.js';
import { startDaemon, startProxy, type Service } from '../support/processes.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

/** The files of a service, which a test breaks and mends. */
interface Files {
  /** Where they are, and the configuration of the service. */
  readonly folder: string;
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

interface Case {
  readonly name: string;
  readonly breakIt: (files: Files) => Promise<void>;
  readonly text: (files: Files) => string;
}

describe('files of TLS that cannot be used', () => {
  let folder: TemporaryFolder;
  let pki: Pki;
  let good: Identity;
  let other: Identity;
  let old: Identity;
  let broken: string;
  const services: Service[] = [];
  before(async () => {
    folder = await TemporaryFolder.create();
    pki = await Pki.create(folder.file('pki'));
    good = await pki.issueHost('good');
    other = await pki.issueHost('other');
    old = await pki.issueHost('old', expired);
    // Its base64 is right, and what it says is not a certificate.
    broken = pki.caPem.replace(/[A-Z]/g, (letter, index: number) =>
      index > 150 && index < 300 ? 'A' : letter,
    );
    assert.throws(() => new X509Certificate(broken));
  });
  after(async () => {
    // Those that a failed test has left.
    for (const { program } of services) await program.kill();
    await folder[Symbol.asyncDispose]();
  });

  const encrypted = (type: 'pkcs1' | 'pkcs8') => {
    const key = type === 'pkcs8' ? createPrivateKey(good.keyPem) : rsaKey;
    return key.export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' });
  };
  const rsaKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const keyIs = (name: string, content: () => string | Buffer, reason: string): Case => ({
    name,
    breakIt: ({ key }) => writeFile(key, content()),
    text: ({ key }) => `Cannot use [tls] key_file ${key}: ${reason}`,
  });
  const certIs = (name: string, content: () => string | Buffer, reason: string): Case => ({
    name,
    breakIt: ({ cert }) => writeFile(cert, content()),
    text: ({ cert }) => `Cannot use [tls] cert_file ${cert}: ${reason}`,
  });
  const caIs = (name: string, content: () => string | Buffer, reason: string): Case => ({
    name,
    breakIt: ({ ca }) => writeFile(ca, content()),
    text: ({ ca }) => `Cannot use [tls] ca_file ${ca}: ${reason}`,
  });
  const notTheKey: Pick<Case, 'text'> = {
    text: ({ key, cert }) => `Cannot use [tls] key_file ${key}: it is not the key of [tls] cert_file ${cert}`,
  };
  const noKey = 'it has no private key in PEM format';
  const noCertificate = 'it has no certificate in PEM format';
  const needsPassphrase = 'the key is encrypted, and nobody is there to type its passphrase';
  const cases: readonly Case[] = [
    {
      name: 'the key of another certificate',
      breakIt: ({ key }) => copyFile(other.keyFile, key),
      ...notTheKey,
    },
    {
      name: 'a key of another kind',
      breakIt: ({ key }) => writeFile(key, rsaKey.export({ type: 'pkcs8', format: 'pem' })),
      ...notTheKey,
    },
    keyIs('an encrypted key', () => encrypted('pkcs8'), needsPassphrase),
    keyIs('an encrypted key in the old format', () => encrypted('pkcs1'), needsPassphrase),
    keyIs('an empty key', () => '', 'it is empty'),
    keyIs('a key that is no PEM', () => 'SECRET', noKey),
    keyIs('a certificate for a key', () => good.certPem, noKey),
    certIs('an empty certificate', () => '\n', 'it is empty'),
    certIs('a certificate that is no PEM', () => 'SECRET', noCertificate),
    certIs('a certificate in DER', () => new X509Certificate(good.certPem).raw, noCertificate),
    certIs('a key for a certificate', () => good.keyPem, noCertificate),
    certIs('a broken certificate', () => broken, 'its certificate cannot be parsed'),
    certIs('a broken chain', () => good.certPem + broken, 'certificate 2 of 2 cannot be parsed'),
    caIs('empty authorities', () => '', 'it is empty'),
    caIs('authorities that are no PEM', () => 'SECRET', noCertificate),
    caIs(
      'authorities of which one is broken',
      () => pki.caPem + broken,
      'certificate 2 of 2 cannot be parsed',
    ),
  ];

  /** One of each kind, where each takes a second or more: what is looked at is the same. */
  const few = cases.filter(({ name }) =>
    ['a key of another kind', 'an encrypted key', 'a broken chain', 'authorities that are no PEM'].includes(
      name,
    ),
  );
  assert.equal(few.length, 4);

  /** A folder with files that are right. */
  async function goodFiles(name: string): Promise<Files> {
    const path = folder.file(name);
    await mkdir(path);
    const files = {
      folder: path,
      key: join(path, 'tls.key'),
      cert: join(path, 'tls.pem'),
      ca: join(path, 'ca.pem'),
    };
    await mend(files);
    return files;
  }

  async function mend({ key, cert, ca }: Files): Promise<void> {
    await copyFile(good.keyFile, key);
    await copyFile(good.certFile, cert);
    await copyFile(pki.caFile, ca);
  }

  async function start(
    { folder: path, key, cert, ca }: Files,
    tls: Record<string, number> = { reload_interval_sec: 0 },
  ): Promise<Service> {
    const configuration = { tls: { key_file: key, cert_file: cert, ca_file: ca, ...tls } };
    const daemon = await startDaemon({ folder: path, pki, identity: good, configuration });
    services.push(daemon);
    return daemon;
  }

  test('stop the start with one line that names option and file', async () => {
    for (const [index, { breakIt, name, text }] of few.entries()) {
      const files = await goodFiles(`start-${index}`);
      await breakIt(files);
      const error = await start(files).then(
        () => 'It started',
        (reason: unknown) => String(reason),
      );
      const [what = '', , ...lines] = error.split('\n');
      assert.match(what, /exit code 1/, name);
      assert.equal(lines.length, 1, `${name}: ${lines.join('\n')}`);
      assertSays(lines[0], 'Cannot start: PemFileError: ', text(files), name);
    }
  });

  for (const [how, tried, tls, ask] of [
    [
      'SIGHUP',
      cases,
      { reload_interval_sec: 0 },
      (service: Service) => {
        service.program.signal('SIGHUP');
      },
    ],
    ['the reload interval', few, { reload_interval_sec: 0.05 }, () => undefined],
  ] as const) {
    test(`change nothing when they come with ${how}, and are named in one line`, async () => {
      const files = await goodFiles(how.replaceAll(' ', '-'));
      const daemon = await start(files, tls);
      for (const { breakIt, name, text } of tried) {
        const before = errorsOf(daemon).length;
        await breakIt(files);
        ask(daemon);
        await eventually(() => errorsOf(daemon).length > before || undefined, `${name} is told of`);
        assertSays(errorsOf(daemon)[before], 'the old one stays: PemFileError: ', text(files), name);
        await mend(files);
        const reloads = reloadsOf(daemon);
        ask(daemon);
        await eventually(() => reloadsOf(daemon) >= reloads + 2 || undefined, `${name} is mended`);
        assert.equal(errorsOf(daemon).length, before + 1, name);
      }
      assert.doesNotMatch(daemon.logText, /SECRET|PRIVATE KEY/);

      await copyFile(old.keyFile, files.key);
      await copyFile(old.certFile, files.cert);
      ask(daemon);
      const warning = await eventually(() => expiryWarning(daemon), 'the expired certificate is told of');
      assert.equal(warning, expiryText(files.cert, old));
      await daemon.stop();
    });
  }

  test('that have expired are warned of at the start, which goes on', async () => {
    const files = await goodFiles('old');
    await copyFile(old.keyFile, files.key);
    await copyFile(old.certFile, files.cert);
    const daemon = await start(files);
    assert.equal(expiryWarning(daemon), expiryText(files.cert, old));
    await daemon.stop();
  });

  test('of a proxy that does not trust a daemon are named in the log of the request', async () => {
    const rogue = await Pki.create(folder.file('rogue'), 'Another CA');
    const engineIdentity = await pki.issueEngine();
    const engine = new Engine(engineIdentity);
    const daemon = await start(await goodFiles('trusted'));
    for (const [section, ca] of [
      ['backend_http', { backend_http: { ca_file: rogue.caFile } }],
      ['tls', { tls: { ca_file: rogue.caFile } }],
    ] as const) {
      const proxy = await startProxy({
        folder: folder.path,
        pki,
        engine: engineIdentity,
        configuration: ca,
      });
      services.push(proxy);
      const client = new ImagesClient(proxy.address('remote'));
      const ticketId = randomUUID();
      const headers = { Authorization: engine.signTransfer({ ticketId, imagedUri: daemon.url }) };
      const answer = await client.request('GET', imagePath(ticketId), { headers });
      client.close();
      assert.equal(answer.status, 502);
      assert.ok(!answer.text.includes('ca_file'), answer.text);
      await proxy.stop();
      const record = proxy.log.find((line) => line['msg'] === 'Request ended');
      assert.equal(record?.['verified_with'], `[${section}] ca_file ${rogue.caFile}`);
    }
    await daemon.stop();
  });
});

function assertSays(line: unknown, before: string, text: string, name: string): void {
  assert.ok(String(line).includes(`${before}${text}`), `${name}: ${String(line)}\nshould say: ${text}`);
  assert.doesNotMatch(String(line), /SECRET|PRIVATE KEY/, name);
}

function errorsOf({ log }: Service): unknown[] {
  return log.filter(({ level }) => level === 'error').map(({ msg }) => msg);
}

/** How many files, or sets of them, were read anew. */
function reloadsOf({ log }: Service): number {
  return log.filter(({ msg }) => /^Reloaded the (certificate|authorities)/.test(String(msg))).length;
}

function expiryWarning({ log }: Service): unknown {
  return log.find(({ level, msg }) => level === 'warn' && String(msg).includes('has expired'))?.['msg'];
}

function expiryText(file: string, { certPem }: Identity): string {
  const end = new X509Certificate(certPem).validToDate.toISOString();
  return `[tls] cert_file ${file}: the certificate has expired at ${end}: clients refuse it`;
}
