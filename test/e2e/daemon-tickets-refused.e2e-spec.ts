import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Vdsm } from '../support/vdsm.js';
import { DaemonUnderTest } from './daemon-under-test.js';
import { parseAnswer, requestBytes } from './raw-answers.js';

const id = 'a-ticket';
const valid = { uuid: id, size: 4096, ops: ['read'], timeout: 300, url: 'file:///image' };

/** The ticket as JSON text with one value, also JSON text, in place of its own. */
function ticketWith(key: string, value: string): string {
  return JSON.stringify({ ...valid, [key]: '§' }).replace('"§"', value);
}

describe('a ticket that is refused', () => {
  let fixture: DaemonUnderTest;
  let vdsm: Vdsm;
  before(async () => {
    fixture = await DaemonUnderTest.start();
    vdsm = fixture.vdsm;
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  async function refusal(body: string): Promise<string> {
    const answer = await vdsm.request('PUT', `/tickets/${id}`, body);
    assert.equal(answer.status, 400, answer.text);
    assert.match(answer.text, /^Invalid ticket: .*\n$/);
    assert.equal((await vdsm.request('GET', `/tickets/${id}`)).status, 404);
    return answer.text;
  }

  for (const key of Object.keys(valid)) {
    test(`for a missing ${key} names it`, async () => {
      const rest = Object.entries(valid).filter(([name]) => name !== key);
      assert.match(await refusal(JSON.stringify(Object.fromEntries(rest))), new RegExp(`\\b${key}\\b`));
    });
    test(`for a ${key} that is null names it`, async () => {
      assert.match(await refusal(ticketWith(key, 'null')), new RegExp(`\\b${key}\\b`));
    });
  }

  const wrong: readonly (readonly [string, readonly string[]])[] = [
    ['uuid', ['1', 'true', '[]', '{}', '""', '"other"']],
    [
      'size',
      [
        '"4096"',
        'true',
        'false',
        '-1',
        '0.5',
        '4096.0',
        '1e3',
        '1e400',
        '[]',
        '18446744073709551617',
        '9'.repeat(60_000),
        '-0.0',
      ],
    ],
    ['ops', ['"read"', '[]', '["delete"]', '["read",1]', '[["read"]]', '{}', 'true', '["READ"]', '[null]']],
    ['timeout', ['"300"', 'true', '-1', '1.5', '300.0', '2147483648', '9007199254740993', '[]', '{}']],
    ['url', ['1', '""', '[]', '"/path"', '"ftp://host/x"', '"FILE:///x"', '"file"', '"javascript:x"', '":"']],
    ['transfer_id', ['1', 'true', '[]', '{}']],
    ['inactivity_timeout', ['"60"', 'true', '-1', '1.5', '60.0', '2147483648']],
    ['filename', ['1', 'true', '[]', '{}', 'null']],
    ['sparse', ['"yes"', '1', '0', '[]', '"true"']],
    ['dirty', ['"yes"', '1', '0', '{}', '"false"']],
  ];
  for (const [key, values] of wrong) {
    for (const value of values) {
      test(`for a ${key} of ${value} names it`, async () => {
        assert.match(await refusal(ticketWith(key, value)), new RegExp(`\\b${key}\\b`));
      });
    }
  }

  for (const [key, limit, text] of [
    ['url', 8192, (length: number) => `file:///${'p'.repeat(length - 8)}`],
    ['transfer_id', 256, (length: number) => '💾'.repeat(length)],
    ['filename', 512, (length: number) => 'ä'.repeat(length)],
  ] as const) {
    test(`for a ${key} that is longer than ${limit} characters names it and the limit`, async () => {
      for (const length of [limit + 1, 2 * limit + 1, 10_000]) {
        const refused = await refusal(ticketWith(key, JSON.stringify(text(length))));
        assert.equal(refused, `Invalid ticket: ${key} must have at most ${limit} characters\n`);
      }
      const longest = text(limit);
      await vdsm.addTicket(JSON.stringify({ ...valid, uuid: 'longest', [key]: longest }));
      assert.equal((await vdsm.getTicket('longest'))[key], longest);
    });
  }

  test('for a uuid that is longer than 512 characters names it', async () => {
    const text = await refusal(ticketWith('uuid', JSON.stringify('i'.repeat(513))));
    assert.equal(text, 'Invalid ticket: uuid must have at most 512 characters\n');
  });

  test('for more ops than 16 names them', async () => {
    const text = await refusal(ticketWith('ops', JSON.stringify(Array(17).fill('read'))));
    assert.equal(text, 'Invalid ticket: ops must have at most 16 items\n');
  });

  const noTickets: readonly (readonly [string, string])[] = [
    ['no JSON', 'ticket'],
    ['cut JSON', '{"uuid":'],
    ['nothing', ''],
    ['a list', '[]'],
    ['a list of a ticket', JSON.stringify([valid])],
    ['null', 'null'],
    ['a number', '1'],
    ['a fraction', '1.5'],
    ['a string', '"ticket"'],
    ['a truth', 'true'],
    ['NaN', 'NaN'],
    ['a byte order mark', `\ufeff${JSON.stringify(valid)}`],
    ['two objects', JSON.stringify(valid).repeat(2)],
    ['a comment', `/* */${JSON.stringify(valid)}`],
    ['a line break in a string', '{"uuid":"a\nb"}'],
  ];
  for (const [what, body] of noTickets) {
    test(`because it is ${what}`, async () => {
      await refusal(body);
    });
  }

  test('because it is not UTF-8', async () => {
    const text = JSON.stringify({ ...valid, filename: '§' });
    const body = Buffer.from(text.replace('§', 'x'), 'latin1');
    body[body.indexOf('"x"') + 1] = 0xff;
    const socket = await fixture.connect('control');
    await socket.send(
      requestBytes('PUT', `/tickets/${id}`, [`Content-Length: ${body.length}`, 'Connection: close']),
    );
    await socket.send(body);
    const answer = parseAnswer(await socket.readUntilClose());
    assert.equal(answer.status, 400);
    assert.match(answer.body, /^Invalid ticket: .*UTF-8/);
  });

  test('because it is nested deeply, within a moment', async () => {
    await refusal('['.repeat(32_000) + ']'.repeat(32_000));
    await refusal(`{"a":`.repeat(10_000) + '1' + '}'.repeat(10_000));
  });

  test('because it has more values than a ticket can mean', async () => {
    const keys = Array.from({ length: 4600 }, (_, index) => `"k${index}":${index}`).join(',');
    for (const more of [
      keys,
      `"more":[${'1,'.repeat(30_000)}1]`,
      `"ops":[${'"read",'.repeat(5000)}"read"]`,
    ]) {
      assert.match(await refusal(`{${more},${JSON.stringify(valid).slice(1)}`), /more than 1024 values/);
    }
  });

  for (const [what, headers] of [
    ['a length', ['Content-Length: 70000']],
    ['chunks', ['Transfer-Encoding: chunked']],
  ] as const) {
    test(`because it is larger than 64 KiB, sent with ${what}`, async () => {
      const text = JSON.stringify({ ...valid, filename: 'x'.repeat(70_000) }).slice(0, 70_000);
      const body = what === 'chunks' ? `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n` : text;
      const request = requestBytes('PUT', `/tickets/${id}`, [...headers, 'Connection: close'], body);
      const answer = parseAnswer(await fixture.exchangeBytes(request, 'control'));
      assert.deepEqual([answer.status, answer.headers['connection']], [413, 'close']);
      assert.match(answer.body, /65536/);
    });
  }

  test('because its id is not that in the path', async () => {
    const answer = await vdsm.request('PUT', '/tickets/other', JSON.stringify(valid));
    assert.equal(answer.status, 400);
    assert.match(answer.text, /^Invalid ticket: uuid/);
    assert.equal((await vdsm.request('GET', '/tickets/other')).status, 404);
  });

  for (const method of ['PUT', 'PATCH']) {
    test(`because ${method} has no id in its path`, async () => {
      for (const path of ['/tickets/', '/tickets']) {
        const answer = await vdsm.request(method, path, JSON.stringify(valid));
        assert.deepEqual([answer.status, answer.text], [400, 'Ticket id is required\n']);
      }
    });
  }

  test('leaves the ticket that was there before as it was', async () => {
    await vdsm.addTicket(JSON.stringify({ ...valid, uuid: 'kept' }));
    const answer = await vdsm.request('PUT', '/tickets/kept', '{"uuid":"kept"}');
    assert.equal(answer.status, 400);
    assert.equal((await vdsm.getTicket('kept')).size, 4096);
  });

  test('is no image: the control service has no images, the images service no tickets', async () => {
    assert.equal((await vdsm.request('GET', '/images/kept')).status, 404);
    assert.equal((await vdsm.request('OPTIONS', '/images/*')).status, 404);
    for (const listener of ['remote', 'local'] as const) {
      const client = fixture.client(listener);
      for (const method of ['GET', 'PUT', 'DELETE']) {
        assert.equal((await client.request(method, '/tickets/kept')).status, 404);
      }
    }
  });

  for (const method of ['POST', 'OPTIONS', 'HEAD', 'PROPFIND']) {
    test(`cannot be asked for with ${method}`, async () => {
      const answer = await vdsm.request(method, '/tickets/kept');
      assert.deepEqual([answer.status, answer.headers.allow], [405, 'GET,PUT,PATCH,DELETE']);
    });
  }
});
