import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pinnedNode, projectRoot } from '../support/project.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

type Json = Record<string, unknown>;

/** A part of a document, to be changed. */
function at(document: Json, ...path: string[]): Json {
  return path.reduce((value, name) => value[name] as Json, document);
}

async function compare(
  change: (document: Json) => void,
  accepted = '',
): Promise<{ code: number; lines: string[] }> {
  await using folder = await TemporaryFolder.create();
  const [before, after] = [folder.file('before'), folder.file('after')];
  const text = await readFile(join(projectRoot, 'openapi', 'control.json'), 'utf8');
  const document = JSON.parse(text) as Json;
  change(document);
  await Promise.all([mkdir(before), mkdir(after)]);
  await writeFile(join(before, 'control.json'), text);
  await writeFile(join(after, 'control.json'), JSON.stringify(document));
  await writeFile(join(after, 'breaking-changes.txt'), accepted);
  const script = join(projectRoot, 'scripts', 'check-api-compatibility.mjs');
  return await new Promise((resolve) => {
    execFile(pinnedNode, [script, '--before', before, '--after', after], (error, stdout) => {
      const lines = stdout.trimEnd().split('\n');
      resolve({ code: error === null ? 0 : Number(error.code), lines: lines.slice(1) });
    });
  });
}

const ticket = ['components', 'schemas', 'Ticket'];
const info = ['components', 'schemas', 'TicketInfo'];
const get = ['paths', '/tickets/{id}', 'get'];

const breaking: readonly [string, (document: Json) => void, string][] = [
  [
    'an operation that is gone',
    (document) => delete at(document, 'paths', '/tickets/{id}')['get'],
    'GET /tickets/{id}: operation removed',
  ],
  [
    'another name of a method in clients',
    (document) => (at(document, ...get)['operationId'] = 'showTicket'),
    'GET /tickets/{id}: operationId getTicket became showTicket',
  ],
  [
    'a key that a request must have now',
    (document) => (at(document, ...ticket)['required'] as string[]).push('sparse'),
    'PUT /tickets/{id} request: property sparse became required',
  ],
  [
    'a bound of a request that is tighter',
    (document) => (at(document, ...ticket, 'properties', 'timeout')['maximum'] = 10),
    'PUT /tickets/{id} request.timeout: maximum 2147483647 became 10',
  ],
  [
    'a key of a response that is gone',
    (document) => delete at(document, ...info, 'properties')['filename'],
    'GET /tickets/{id} 200: property filename removed',
  ],
  [
    'a value that may come in a response now',
    (document) => (at(document, ...info, 'properties', 'ops', 'items')['enum'] as string[]).push('verify'),
    'GET /tickets 200[].ops[]: value "verify" may come now',
  ],
  [
    'a credential that is asked for now',
    (document) => (at(document, ...get)['security'] = [{ token: [] }]),
    'GET /tickets/{id}: no credential does not suffice any more',
  ],
  [
    'a form of a shared refusal that is gone',
    (document) => delete at(document, 'components', 'responses', 'TicketsNotFound', 'content')['text/plain'],
    'GET /tickets/{id} 404: text/plain removed',
  ],
  [
    'a shared header that is not certain any more',
    (document) => (at(document, 'components', 'responses', 'Unavailable', 'headers')['Retry-After'] = {}),
    'GET /tickets/{id} 503: header Retry-After is not certain any more',
  ],
  [
    'a success that is gone',
    (document) => delete at(document, ...get, 'responses')['200'],
    'GET /tickets/{id}: status 200 removed',
  ],
];

const inline = (reference: unknown, document: Json): Json => {
  const path = String((reference as Json)['$ref'])
    .replace('#/', '')
    .split('/');
  return structuredClone(at(document, ...path));
};

const harmless: readonly [string, (document: Json) => void][] = [
  ['nothing', () => undefined],
  [
    'a new operation',
    (document) => (at(document, 'paths')['/more'] = { get: { operationId: 'more', responses: {} } }),
  ],
  [
    'a new key of a response',
    (document) => (at(document, ...info, 'properties')['more'] = { type: 'string' }),
  ],
  ['a new key that a request may have', (document) => (at(document, ...ticket, 'properties')['more'] = {})],
  [
    'a wider bound of a request',
    (document) => (at(document, ...ticket, 'properties', 'timeout')['maximum'] = 2 ** 40),
  ],
  [
    'a refusal that is described at the operation instead of in a component',
    (document) => {
      const responses = at(document, ...get, 'responses');
      responses['404'] = inline(responses['404'], document);
    },
  ],
  ['another description', (document) => (at(document, ...get)['description'] = 'Otherwise.')],
];

describe('the check of API compatibility', () => {
  for (const [what, change, line] of breaking) {
    test(`refuses ${what}`, async () => {
      const { code, lines } = await compare(change);
      assert.equal(code, 1);
      assert.ok(lines.includes(`control.json ${line}`), lines.join('\n'));
    });
  }
  for (const [what, change] of harmless) {
    test(`lets ${what} pass`, async () => {
      assert.deepEqual(await compare(change), { code: 0, lines: [] });
    });
  }
  test('lets a breaking change pass that is marked', async () => {
    const [, change, line] = breaking[0]!;
    assert.deepEqual(await compare(change, `# Why\ncontrol.json ${line}\n`), { code: 0, lines: [] });
  });
});
