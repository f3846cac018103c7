import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { missing } from '../nbd/servers.js';
import { imageioProgram } from '../client/imageio-under-test.js';
import { imagePath, ImagesClient } from '../support/client.js';
import { Pki } from '../support/pki.js';
import { startDaemon } from '../support/processes.js';
import { pinnedNode, projectRoot } from '../support/project.js';
import { needsPythonTool, pythonTool } from '../support/python-tools.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { writeDocumentedPrograms } from './documented-program.js';

/** Verifies by another implementation than ours. */
const pythonCheck = `
import base64, json, sys
from jwcrypto import jwk, jws
receipt = open(sys.argv[1]).read()
header = json.loads(base64.urlsafe_b64decode(json.loads(receipt)['protected'] + '=='))
der = base64.b64decode(header['x5c'][0])
pem = b'-----BEGIN CERTIFICATE-----\\n' + base64.encodebytes(der) + b'-----END CERTIFICATE-----\\n'
token = jws.JWS()
token.allowed_algs = ['PS256', 'ES256', 'ES384', 'ES512', 'EdDSA']
token.deserialize(receipt, jwk.JWK.from_pem(pem))
print(json.dumps(json.loads(token.payload)))
`;

/** Its program, then what the others are given as well. */
const imageioCheck = 'exec "$0" "$1" receipt "$2" --cafile "$3" --host "$4" --output json';

const keys = {
  RSA: { alg: 'PS256', generated: 'rsa' },
  'P-256': { alg: 'ES256', generated: 'P-256' },
  'P-521': { alg: 'ES512', generated: 'P-521' },
  Ed25519: { alg: 'EdDSA', generated: 'Ed25519' },
} as const;

describe('a receipt', () => {
  let folder: TemporaryFolder;
  let pki: Pki;
  let checksum = '';
  const receipts = new Map<string, Record<string, string>>();

  /** Has a daemon with such a key make one. */
  async function receiptOf(name: keyof typeof keys): Promise<Record<string, string>> {
    const identity = await pki.issueHost(name, { key: keys[name].generated });
    const daemon = await startDaemon({ folder: folder.path, pki, identity });
    const image = imagePath('receipt');
    await daemon.vdsm.addTicket({
      uuid: 'receipt',
      size: 2 * MiB,
      ops: ['read'],
      timeout: 300,
      url: `file://${folder.file('image')}`,
    });
    const client = new ImagesClient(daemon.address('remote'));
    try {
      const { text } = await client.request('GET', `${image}/receipt?algorithm=sha256`);
      const { text: summed } = await client.request('GET', `${image}/checksum?algorithm=sha256`);
      ({ checksum } = JSON.parse(summed) as { checksum: string });
      return JSON.parse(text) as Record<string, string>;
    } finally {
      client.close();
      await daemon.stop();
    }
  }

  before(async () => {
    folder = await TemporaryFolder.create();
    pki = await Pki.create(folder.file('pki'));
    await writeFile(folder.file('image'), randomBytes(2 * MiB));
    await writeFile(folder.file('check.py'), pythonCheck);
    await writeDocumentedPrograms('../transfers.md', folder.path);
    await symlink(join(projectRoot, 'node_modules'), folder.file('node_modules'));
    for (const name of Object.keys(keys) as (keyof typeof keys)[]) receipts.set(name, await receiptOf(name));
  });
  after(() => folder[Symbol.asyncDispose]());

  /** @returns what it prints when it takes the receipt; undefined when it does not */
  async function check(
    program: readonly string[],
    receipt: object,
    ...more: string[]
  ): Promise<string | undefined> {
    const file = folder.file('receipt.json');
    await writeFile(file, JSON.stringify(receipt));
    const [command = '', ...args] = program;
    const { status, stdout } = spawnSync(command, [...args, file, ...more], { encoding: 'utf8' });
    return status === 0 ? stdout : undefined;
  }

  const programs = [
    {
      name: 'openssl',
      skip: missing('openssl', 'jq'),
      program: () => ['sh', folder.file('check-receipt.sh')],
    },
    { name: 'jose', skip: false, program: () => [pinnedNode, folder.file('check-receipt.mjs')] },
    {
      name: 'imageio',
      skip: false,
      program: () => ['sh', '-c', imageioCheck, pinnedNode, imageioProgram],
    },
    {
      name: 'jwcrypto',
      skip: needsPythonTool('python'),
      program: () => [pythonTool('python'), folder.file('check.py')],
    },
  ];
  for (const { name, skip, program } of programs) {
    for (const [key, { alg }] of Object.entries(keys)) {
      // The command for the others does not take such keys.
      if (name === 'openssl' && alg === 'EdDSA') continue;
      test(`by ${key} verifies with ${name}, and no longer when it is changed`, { skip }, async () => {
        const receipt = receipts.get(key) ?? {};
        const taken = await check(program(), receipt, pki.caFile, 'localhost');
        assert.ok(taken?.includes(checksum), taken ?? 'it does not verify');
        const header = JSON.parse(Buffer.from(receipt['protected'] ?? '', 'base64url').toString()) as object;
        assert.ok('alg' in header && header.alg === alg);
        const claims = Buffer.from(receipt['payload'] ?? '', 'base64url').toString();
        const payload = Buffer.from(claims.replace('"size":2', '"size":3')).toString('base64url');
        assert.equal(await check(program(), { ...receipt, payload }, pki.caFile, 'localhost'), undefined);
      });
    }
  }

  for (const { name, skip, program } of programs.slice(0, 3)) {
    test(`of a host of another authority is not taken with ${name}`, { skip }, async () => {
      const { caFile } = await Pki.create(folder.file(`other-${name}`));
      assert.equal(await check(program(), receipts.get('RSA') ?? {}, caFile, 'localhost'), undefined);
    });
  }

  for (const { name, program } of programs.slice(1, 3)) {
    test(`of another host is not taken with ${name}`, async () => {
      assert.equal(
        await check(program(), receipts.get('RSA') ?? {}, pki.caFile, 'elsewhere.example.com'),
        undefined,
      );
    });
  }
});
