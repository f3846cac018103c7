import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import type { OutgoingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { KiB } from '../../src/base/units.js';
import { Deployment } from '../e2e/deployment.js';
import { ImagesClient, imagePath } from '../support/client.js';
import { writeConfiguration, type Configuration } from '../support/configuration.js';
import type { Service } from '../support/processes.js';
import { Program } from '../support/program.js';
import { pinnedNode, projectRoot, serviceProgram } from '../support/project.js';

const page = readFileSync(join(projectRoot, 'docs', 'operations.md'), 'utf8');
const troubleshooting = /^## Troubleshooting\n([^]*?)^## /m.exec(page)?.[1] ?? '';

/** What a program or an answer says is quoted by the page, where whoever has the symptom looks for it. */
function assertQuoted(quote: string, said: string): void {
  assert.ok(said.includes(quote), said);
  assert.ok(troubleshooting.includes(`\`${quote}\``), `docs/operations.md does not have: ${quote}`);
}

describe('the symptoms on the operations page', () => {
  let deployment: Deployment;
  before(async () => {
    deployment = await Deployment.start();
  });
  after(() => deployment[Symbol.asyncDispose]());

  /** What a daemon prints that cannot start. */
  const failedStart = async (name: string, configuration?: Configuration): Promise<string> => {
    const confDir = deployment.folder.file(name);
    await mkdir(confDir);
    if (configuration !== undefined) {
      const base = { daemon: { drop_privileges: false }, control: { socket: join(confDir, 'sock') } };
      await writeConfiguration(confDir, { ...base, local: { enable: false }, ...configuration });
    }
    const program = await Program.start(pinnedNode, [serviceProgram, '-c', confDir]);
    assert.equal((await program.waitForExit()).code, 1, program.lastLines());
    return program.lines.join('\n');
  };

  test('of starts that fail are what the program prints', async () => {
    const remote = deployment.daemon.address('remote');
    const control = deployment.daemon.address('control');
    assert.ok(remote.kind === 'tls' && control.kind === 'unix');
    const plain = { tls: { enable: false }, remote: { host: '127.0.0.1', port: 0 } };
    const empty = deployment.folder.file('empty.pem');
    await writeFile(empty, '');
    const withKey = (key: string): Configuration => ({ tls: { key_file: key, cert_file: key } });
    const starts: readonly (readonly [quote: string, configuration: Configuration | undefined])[] = [
      ['no configuration file matches', undefined],
      ['Cannot open the remote listener', { ...plain, remote: { host: '127.0.0.1', port: remote.port } }],
      ['Cannot read [tls] key_file', withKey('/nonexistent')],
      ['its folder does not exist', { ...plain, control: { socket: '/nonexistent/sock' } }],
      ['another process is listening there', { ...plain, control: { socket: control.path } }],
    ];
    for (const [index, [quote, configuration]] of starts.entries())
      assertQuoted(quote, await failedStart(`start-${index}`, configuration));
    const said = await failedStart('unusable', withKey(empty));
    assert.match(said, /Cannot use \[tls\] /);
    assert.ok(troubleshooting.includes('`Cannot use [tls] …`'));
  });

  const refusal = async (
    service: Service,
    ticketId: string,
    { method = 'GET', headers = {} }: { method?: string; headers?: OutgoingHttpHeaders } = {},
  ): Promise<{ status: number; text: string }> => {
    const client = new ImagesClient(service.address('remote'));
    try {
      const body = method === 'PUT' ? { body: 'x' } : {};
      return await client.request(method, imagePath(ticketId), { headers, ...body });
    } finally {
      client.close();
    }
  };

  test('of refusals are what the service answers', async () => {
    const { daemon, proxy, folder } = deployment;
    const image = folder.file('image');
    await writeFile(image, Buffer.alloc(KiB));
    const readable = await deployment.addTicket('read', image, KiB);
    const expired = await deployment.addTicket('read', image, KiB);
    await daemon.vdsm.extendTicket(expired, 0);
    const forbidden = await deployment.addTicket('read', '/proc/version', KiB);
    const unknown = randomUUID();
    const headers = { 'Session-Id': randomUUID() };
    const refused = [
      [403, 'No such ticket', await refusal(daemon, unknown)],
      [403, 'Ticket expired', await refusal(daemon, expired)],
      [403, 'Ticket does not allow write', await refusal(daemon, readable, { method: 'PUT' })],
      [403, 'The image is in a place where no image may be', await refusal(daemon, forbidden)],
      [403, 'the session is unknown or has expired', await refusal(proxy, unknown, { headers })],
      [401, 'No signed ticket and no session was shown', await refusal(proxy, unknown)],
    ] as const;
    for (const [status, quote, answer] of refused) {
      assert.equal(answer.status, status, answer.text);
      assertQuoted(quote, answer.text);
    }
    const wrong = await refusal(proxy, unknown, { headers: { Authorization: 'nonsense' } });
    assert.equal(wrong.status, 401);
    assert.match(wrong.text, /^Signed ticket: /);
  });
});
