import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ticketIdExample } from '../../src/contract/schemas.js';
import { MiB } from '../../src/base/units.js';
import { Deployment } from '../e2e/deployment.js';
import { Program } from '../support/program.js';
import { projectRoot } from '../support/project.js';
import { needsPythonTool, pythonTool } from '../support/python-tools.js';
import type { ContractName } from './contract.js';

/** Bounds the time: each operation gets as many generated requests. */
const examplesMax = 10;
const runSecondsMax = 180;

// Answers that schemathesis would not expect, but right. To valid requests: a Content-Range may be of the
// right form and contradict itself (400), and whether a range fits only the ticket knows (416). To
// invalid ones: some of them are too large as well (413, 431), and whether Range or another parameter is
// looked at first is not told (416).
const goodForValid = [200, 202, 204, 206, 400, 401, 403, 404, 409, 416, 507];
const goodForInvalid = [400, 401, 403, 404, 405, 409, 413, 416, 431];

// A collection without an id answers "Ticket id is required" to methods that need one, which is
// worth more to people than 405.
const collection = [
  '[[operations]]',
  'include-path = "/tickets"',
  'checks.unsupported_method.enabled = false',
  'checks.allow_header_conformance.enabled = false',
  // A ticket may have that id, for which there are other methods.
  '[[operations]]',
  'include-path = "/tickets/events"',
  'checks.unsupported_method.enabled = false',
  'checks.allow_header_conformance.enabled = false',
].join('\n');

describe('requests that schemathesis makes up', { skip: needsPythonTool('st') }, () => {
  let deployment: Deployment;
  let ticketId: string;

  before(async () => {
    deployment = await Deployment.start({
      daemon: { control: { transport: 'tcp', port: 0 } },
      // Made-up credentials fail by the hundred, and each failure should show its own answer.
      proxy: { limits: { unauthorised_silence_sec: 10, failed_authentications_per_address: 1_000_000 } },
    });
    const file = deployment.folder.file('image.raw');
    await writeFile(file, Buffer.alloc(MiB, 'x'));
    ticketId = await deployment.addTicket('write', file, MiB, { timeout: 3600 });
  });
  after(() => deployment[Symbol.asyncDispose]());

  /**
   * The committed document, less a bound that the service does not insist on: old
   * engines send sizes up to 2^64.
   */
  async function contractFile(name: ContractName): Promise<string> {
    const text = await readFile(join(projectRoot, 'openapi', `${name}.json`), 'utf8');
    const document = JSON.parse(text) as {
      components: { schemas: { Ticket?: { properties: { size: { format?: string } } } } };
    };
    delete document.components.schemas.Ticket?.properties.size.format;
    const file = deployment.folder.file(`${name}.json`);
    await writeFile(file, JSON.stringify(document));
    return file;
  }

  /** Most made-up ids would only ever be refused. A stream of events would end with the ticket only. */
  const imageId = (): string =>
    [
      '[[operations]]',
      // Streams that do not end, or whose data is JSON in a text.
      'include-operation-id = ["followTicket", "followImageJob"]',
      'enabled = false',
      // What does not end in the number of a job is the id of an image, which has no DELETE.
      '[[operations]]',
      'include-operation-id = "cancelImageJob"',
      'checks.status_code_conformance.enabled = false',
      '[[operations]]',
      'include-tag = "images"',
      `parameters = { "path.id" = "${ticketId}" }`,
    ].join('\n');

  /** @param settings more lines for the end of schemathesis' configuration */
  async function schemathesis(name: ContractName, url: string, settings: string): Promise<void> {
    const config = deployment.folder.file(`${name}.toml`);
    await writeFile(
      config,
      [
        '[checks]',
        `positive_data_acceptance.expected-statuses = ${tomlList(goodForValid)}`,
        `negative_data_rejection.expected-statuses = ${tomlList(goodForInvalid)}`,
        settings,
      ].join('\n'),
    );
    const program = await Program.start(
      pythonTool('st'),
      [
        `--config-file=${config}`,
        'run',
        await contractFile(name),
        `--url=${url}`,
        `--tls-verify=${join(deployment.folder.path, 'ca.pem')}`,
        `--max-examples=${examplesMax}`,
        '--phases=examples,coverage,fuzzing',
        '--seed=1',
        '--continue-on-failure',
        '--no-color',
      ],
      { cwd: deployment.folder.path },
    );
    const exit = await program.waitForExit(runSecondsMax * 1000);
    assert.equal(exit.code, 0, program.lastLines(300));
  }

  test('are answered by the daemon as documented', async () => {
    await schemathesis('daemon', deployment.daemon.url, imageId());
  });

  test('are answered by the control service as documented', async () => {
    const control = deployment.daemon.address('control');
    assert.ok(control.kind === 'tcp');
    const settings = `${collection}\n[parameters]\n"path.id" = "${ticketIdExample}"`;
    await schemathesis('control', `http://localhost:${control.port}`, settings);
  });

  test('are answered by the proxy as documented', async () => {
    const authorization = `[headers]\nAuthorization = "${deployment.signTicket(ticketId)}"`;
    await schemathesis('proxy', deployment.proxy.url, `${collection}\n${imageId()}\n${authorization}`);
  });

  test('leave daemon and proxy running', async () => {
    const { status } = await deployment.daemon.vdsm.request('GET', `/tickets/${randomUUID()}`);
    assert.equal(status, 404);
    for (const { program } of [deployment.daemon, deployment.proxy]) assert.equal(program.hasExited, false);
  });
});

function tomlList(statuses: readonly number[]): string {
  return `[${statuses.map((status) => `"${status}"`).join(', ')}]`;
}
