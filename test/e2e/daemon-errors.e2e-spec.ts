import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ImagesClient } from '../support/client.js';
import { eventually } from '../support/deadline.js';
import { DaemonUnderTest, type ImageTicket } from './daemon-under-test.js';
import { parseAnswer, requestBytes } from './raw-answers.js';

const sizeBytes = 8192;

describe('errors of the images API', () => {
  let fixture: DaemonUnderTest;
  let client: ImagesClient;
  let writable: ImageTicket;
  let readable: ImageTicket;
  before(async () => {
    fixture = await DaemonUnderTest.start();
    client = fixture.client();
    writable = await fixture.addImage(sizeBytes);
    readable = await fixture.addImage(sizeBytes, { ops: ['read'] });
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  const malformedBodies: readonly (readonly [string, string, RegExp])[] = [
    ['a patch that is not JSON', '{', /not valid JSON/],
    ['a patch that is a list', '[]', /must be a JSON object/],
    ['a patch that is null', 'null', /must be a JSON object/],
    ['a patch without op', '{}', /op is required/],
    ['an unknown op', '{"op":"trim"}', /op must be "zero" or "flush"/],
    ['a zero without size', '{"op":"zero","offset":0}', /size/],
    ['a zero of a negative size', '{"op":"zero","size":-1}', /size/],
    ['a zero at a negative offset', '{"op":"zero","size":1,"offset":-1}', /offset/],
    ['a zero of half a byte', '{"op":"zero","size":0.5}', /size/],
    ['a zero of a size given as a float', '{"op":"zero","size":4096.0}', /size/],
    ['a zero of a size given as text', '{"op":"zero","size":"4096"}', /size/],
    ['a zero of a size given as a truth', '{"op":"zero","size":true}', /size/],
    ['a zero of 2^53 bytes', '{"op":"zero","size":9007199254740992}', /size/],
    ['a flush flag that is a number', '{"op":"zero","size":1,"flush":1}', /flush/],
  ];
  for (const [what, body, text] of malformedBodies) {
    test(`refuses ${what} with 400, and reads none of it for an unknown ticket`, async () => {
      const answer = await client.request('PATCH', writable.path, { body });
      assert.equal(answer.status, 400);
      assert.match(answer.text, text);
      assert.equal((await client.request('PATCH', '/images/no-such-ticket', { body })).status, 403);
    });
  }

  const malformed: readonly (readonly [
    string,
    string,
    Record<string, string>,
    string | undefined,
    RegExp,
  ])[] = [
    ['a bad Content-Range', 'PUT', { 'Content-Range': 'bytes 7-13' }, 'x', /Content-Range/],
    ['a flush that is neither y nor n', 'PUT?flush=yes', {}, 'x', /flush/],
    ['a close that is neither y nor n', 'PUT?close=1', {}, 'x', /close/],
    ['a flush that is given twice', 'PUT?flush=y&flush=n', {}, 'x', /flush/],
    ['a download with a bad close', 'GET?close=maybe', {}, undefined, /close/],
    ['an unknown extents context', 'GET/extents?context=all', {}, undefined, /context/],
    ['an unknown checksum algorithm', 'GET/checksum?algorithm=md0', {}, undefined, /'md0'.*'sha256'/],
    [
      'a block size that is no multiple',
      'GET/checksum?algorithm=sha256&block_size=1048577',
      {},
      undefined,
      /block_size/,
    ],
    [
      'a block size that is too small',
      'GET/checksum?algorithm=sha256&block_size=4096',
      {},
      undefined,
      /block_size/,
    ],
  ];
  for (const [what, request, headers, body, text] of malformed) {
    test(`refuses ${what} with 400, whether or not the ticket exists`, async () => {
      const [method, suffix = ''] = /^[A-Z]+/.exec(request)!.concat(request.replace(/^[A-Z]+/, ''));
      for (const path of [writable.path, '/images/no-such-ticket']) {
        const answer = await client.request(method!, `${path}${suffix}`, {
          headers,
          ...(body === undefined ? {} : { body }),
        });
        assert.equal(answer.status, 400);
        assert.match(answer.text, text);
      }
    });
  }

  test('refuses a PUT that has neither a length nor chunks with 400', async () => {
    const request = requestBytes('PUT', writable.path, ['Connection: close']);
    const answer = parseAnswer(await fixture.exchangeBytes(request));
    assert.deepEqual([answer.status, answer.body], [400, 'Content-Length is required\n']);
  });

  for (const length of ['-1', 'ten', '0x10', '1e3', '1,1', '+1', '']) {
    test(`refuses a Content-Length of ${JSON.stringify(length)} with 400`, async () => {
      const request = requestBytes('PUT', writable.path, [`Content-Length: ${length}`], 'x');
      assert.equal(parseAnswer(await fixture.exchangeBytes(request)).status, 400);
    });
  }

  for (const path of ['/images/', '/images', '/images//extents', '/images//checksum', '/images//']) {
    for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'OPTIONS']) {
      test(`says that the id is missing in ${method} ${path}`, async () => {
        const answer = await client.request(method, path);
        assert.equal(answer.status, 400);
        if (method !== 'HEAD') assert.equal(answer.text, 'Ticket id is required\n');
      });
    }
  }

  const refused: readonly (readonly [string, string])[] = [
    ['GET', ''],
    ['HEAD', ''],
    ['PUT', ''],
    ['OPTIONS', ''],
    ['GET', '/extents'],
    ['GET', '/checksum?algorithm=sha256'],
  ];
  for (const [method, suffix] of refused) {
    test(`answers ${method} ${suffix} of an unknown ticket with 403 and closes`, async () => {
      const answer = await client.request(method, `/images/no-such-ticket${suffix}`, {
        ...(method === 'PUT' ? { body: 'x' } : {}),
      });
      assert.equal(answer.status, 403);
      assert.equal(answer.headers.connection, 'close');
      if (method !== 'HEAD') {
        assert.equal(answer.text, 'You are not allowed to access this resource: No such ticket\n');
      }
    });
  }

  for (const [method, body] of [
    ['PUT', 'data'],
    ['PATCH', '{"op":"zero","size":4096}'],
    ['PATCH', '{"op":"flush"}'],
  ] as const) {
    test(`forbids ${method} ${body} with a read ticket`, async () => {
      const answer = await client.request(method, readable.path, { body });
      assert.equal(answer.status, 403);
      assert.match(answer.text, /^You are not allowed to access this resource: .*write/);
    });
  }

  test('lets a write ticket read', async () => {
    assert.equal((await client.request('GET', writable.path)).status, 200);
  });

  test('checks the ticket before the range', async () => {
    const headers = { 'Content-Range': `bytes ${sizeBytes}-*/*` };
    assert.equal((await client.request('PUT', readable.path, { headers, body: 'x' })).status, 403);
    const range = { Range: `bytes=${sizeBytes}-` };
    assert.equal((await client.request('GET', '/images/none', { headers: range })).status, 403);
  });

  test('opens nothing for a request that is refused', async () => {
    const ticket = await fixture.addImage(sizeBytes, { ops: ['read'] });
    for (const [method, headers, body] of [
      ['GET', { Range: `bytes=0-${sizeBytes}` }, undefined],
      ['GET', { Range: 'bytes=x' }, undefined],
      ['PUT', {}, 'x'],
      ['PATCH', {}, '{"op":"no"}'],
    ] as const) {
      const answer = await client.request(method, ticket.path, { headers, ...(body ? { body } : {}) });
      assert.ok(answer.status >= 400);
    }
    assert.equal(await fixture.openFiles(ticket.file), 0);
    assert.equal((await fixture.vdsm.getTicket(ticket.id)).connections, 0);
    assert.equal((await client.request('GET', ticket.path)).status, 200);
    assert.equal(await fixture.openFiles(ticket.file), 1);
  });

  for (const path of [
    '/',
    '/image/x',
    '/images/x%00y/../..',
    '/tickets/x',
    '/tickets/',
    '/sessions/',
    '/favicon.ico',
  ]) {
    test(`has no route ${path}, or none of that ticket`, async () => {
      const answer = await client.request('GET', path);
      assert.equal(answer.status, path.startsWith('/images') ? 403 : 404);
    });
  }

  for (const method of ['POST', 'DELETE', 'TRACE', 'PROPFIND', 'QUERY']) {
    test(`does not support ${method} on images`, async () => {
      const answer = await client.request(method, writable.path);
      assert.equal(answer.status, 405);
      assert.match(answer.headers.allow ?? '', /GET/);
    });
  }

  for (const method of ['FOO', 'get', 'CONNECT']) {
    test(`answers the method ${method}, which the parser does not take for a request, with 405`, async () => {
      const answer = parseAnswer(await fixture.exchangeBytes(requestBytes(method, writable.path)));
      assert.deepEqual([answer.status, answer.headers['connection']], [405, 'close']);
      assert.match(answer.headers['allow'] ?? '', /GET/);
    });
  }

  for (const [method, suffix] of [
    ['PUT', '/extents'],
    ['PATCH', '/checksum'],
    ['OPTIONS', '/checksum/algorithms'],
  ] as const) {
    test(`does not support ${method} on ${suffix}`, async () => {
      const answer = await client.request(method, `${writable.path}${suffix}`);
      assert.equal(answer.status, 405);
      assert.equal(answer.headers.allow, 'GET');
    });
  }

  test('says 404 to dirty extents of a ticket that has none, and of a backend without', async () => {
    const dirty = await fixture.addImage(sizeBytes, { ops: ['read'], dirty: true });
    for (const { path } of [readable, dirty]) {
      assert.equal((await client.request('GET', `${path}/extents?context=dirty`)).status, 404);
    }
  });

  for (const [method, headers, body] of [
    ['PUT', { 'Content-Range': `bytes ${sizeBytes - 1}-*/*` }, 'xy'],
    ['PUT', { 'Content-Range': `bytes ${sizeBytes + 1}-*/*` }, ''],
    ['PATCH', {}, `{"op":"zero","offset":1,"size":${sizeBytes}}`],
    ['PATCH', {}, `{"op":"zero","offset":9007199254740991,"size":9007199254740991}`],
  ] as const) {
    test(`refuses ${method} ${body} beyond the ticket with 416 and the size`, async () => {
      const answer = await client.request(method, writable.path, { headers, body });
      assert.equal(answer.status, 416);
      assert.equal(answer.headers['content-range'], `bytes */${sizeBytes}`);
    });
  }

  test('refuses a read ticket without its image with 500 that tells nothing of it', async () => {
    const missing = await fixture.addImage(undefined, { size: sizeBytes });
    const answer = await client.request('GET', missing.path);
    assert.equal(answer.status, 500);
    assert.doesNotMatch(answer.text, new RegExp(`${missing.file}|${missing.id}|ENOENT|at `));
    await eventually(() => fixture.daemon.logText.includes('ENOENT') || undefined, 'the log says why');
  });

  test('answers in text with the length unless JSON is preferred', async () => {
    const answer = await client.request('GET', '/images/none', { headers: { Accept: '*/*' } });
    assert.equal(answer.headers['content-type'], 'text/plain; charset=UTF-8');
    assert.equal(Number(answer.headers['content-length']), answer.body.length);
    assert.ok(answer.text.endsWith('\n'));
  });

  for (const [path, status, code] of [
    ['/images/none', 403, 'not_allowed'],
    ['/images/', 400, 'invalid_request'],
    ['/none', 404, 'not_found'],
  ] as const) {
    test(`answers ${status} as problem details to a client that prefers JSON`, async () => {
      const answer = await client.request('GET', path, { headers: { Accept: 'application/json' } });
      assert.equal(answer.status, status);
      assert.equal(answer.headers['content-type'], 'application/problem+json');
      const problem = JSON.parse(answer.text) as Record<string, unknown>;
      assert.deepEqual(
        { type: problem['type'], status: problem['status'] },
        { type: `urn:ovirt-imageio:error:${code}`, status },
      );
      assert.equal(typeof problem['title'], 'string');
    });
  }

  test('never logs the id of a ticket', () => {
    assert.ok(!fixture.daemon.logText.includes(writable.id));
    assert.ok(!fixture.daemon.logText.includes(readable.id));
  });
});
