import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { callAsJavaEngine } from '../support/java-engine.js';
import type { TicketDocument, Vdsm } from '../support/vdsm.js';
import { DaemonUnderTest } from './daemon-under-test.js';
import { parseAnswer, requestBytes } from './raw-answers.js';

function document(ticket: Partial<TicketDocument> = {}): TicketDocument {
  return {
    uuid: randomUUID(),
    size: 4096,
    ops: ['write'],
    timeout: 300,
    url: 'file:///no/such/image',
    ...ticket,
  };
}

const keys = [
  ...[
    'active',
    'canceled',
    'connections',
    'dirty',
    'expires',
    'idle_time',
    'inactivity_timeout',
    'ops',
    'size',
  ],
  ...['sparse', 'timeout', 'transfer_id', 'transferred', 'url', 'uuid'],
];

describe('tickets', () => {
  let fixture: DaemonUnderTest;
  let vdsm: Vdsm;
  before(async () => {
    fixture = await DaemonUnderTest.start({ daemon: { inactivity_timeout: 42 } });
    vdsm = fixture.vdsm;
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  test('are shown with exactly the documented keys and their defaults', async () => {
    const before = Number(process.hrtime.bigint()) / 1e9;
    const ticket = document({ uuid: '2b2cf4d3-1c4c-4f6c-9f7e-6e8f3d0c5b11' });
    await vdsm.addTicket(ticket);
    const { expires, ...info } = await vdsm.getTicket(ticket.uuid);
    assert.deepEqual(Object.keys({ expires, ...info }).sort(), keys);
    assert.deepEqual(info, {
      ...ticket,
      active: false,
      canceled: false,
      connections: 0,
      idle_time: 0,
      inactivity_timeout: 42,
      sparse: false,
      dirty: false,
      transfer_id: info.transfer_id,
      transferred: 0,
    });
    assert.match(info.transfer_id, /^\(ticket\/2b2cf4d3-1c4c/);
    assert.ok(!info.transfer_id.includes('6e8f3d0c5b11'));
    const after = Number(process.hrtime.bigint()) / 1e9;
    assert.ok(Number.isInteger(expires) && expires >= before + 300 && expires <= after + 301);
  });

  test('are shown with all that was given', async () => {
    const ticket = document({
      ops: ['read'],
      transfer_id: 'transfer 1',
      inactivity_timeout: 7,
      filename: 'Größe.raw',
      sparse: true,
      dirty: true,
    });
    await vdsm.addTicket(ticket);
    const info = await vdsm.getTicket(ticket.uuid);
    for (const [key, value] of Object.entries(ticket))
      assert.deepEqual(info[key as keyof typeof info], value);
    assert.deepEqual(Object.keys(info).sort(), [...keys, 'filename'].sort());
  });

  test('of both ops have no transferred', async () => {
    for (const ops of [
      ['read', 'write'],
      ['write', 'read'],
    ] as const) {
      const ticket = document({ ops });
      await vdsm.addTicket(ticket);
      const info = await vdsm.getTicket(ticket.uuid);
      assert.deepEqual(info.ops, ops);
      assert.ok(!('transferred' in info));
    }
  });

  for (const size of [
    '0',
    '9007199254740991',
    '9007199254740992',
    '9007199254740993',
    '18446744073709551615',
    '18446744073709551616',
  ]) {
    test(`of ${size} bytes come back exactly`, async () => {
      const ticket = document();
      await vdsm.addTicket(JSON.stringify(ticket).replace('"size":4096', `"size":${size}`));
      const { text } = await vdsm.request('GET', `/tickets/${ticket.uuid}`);
      assert.match(text, new RegExp(`"size":${size}[,}]`));
      const list = await vdsm.request('GET', '/tickets/');
      assert.match(list.text, new RegExp(`"size":${size}[,}]`));
    });
  }

  for (const timeout of [0, 2 ** 31 - 1]) {
    test(`may have a timeout of ${timeout}`, async () => {
      const ticket = document({ timeout });
      await vdsm.addTicket(ticket);
      assert.equal((await vdsm.getTicket(ticket.uuid)).timeout, timeout);
    });
  }

  test('may have unknown keys and an inactivity timeout of 0', async () => {
    const ticket = document();
    await vdsm.addTicket(
      JSON.stringify({
        ...ticket,
        inactivity_timeout: 0,
        future: { deep: [1.5] },
        __proto__: 1,
      }),
    );
    const info = await vdsm.getTicket(ticket.uuid);
    assert.deepEqual(Object.keys(info).sort(), keys);
    assert.equal(info.inactivity_timeout, 42);
  });

  test('cannot take their values from a prototype', async () => {
    const id = randomUUID();
    const body = `{"__proto__":${JSON.stringify(document({ uuid: id }))},"uuid":"${id}"}`;
    assert.equal((await vdsm.request('PUT', `/tickets/${id}`, body)).status, 400);
  });

  for (const url of ['file:///a b', 'file:///%41', 'file:///dir/../x', 'file:///ünï']) {
    test(`keep their url as it was sent: ${url}`, async () => {
      const ticket = document({ url });
      await vdsm.addTicket(ticket);
      assert.equal((await vdsm.getTicket(ticket.uuid)).url, url);
    });
  }

  for (const type of [
    '',
    'application/json',
    'application/json; charset=utf-8',
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/octet-stream',
    'multipart/form-data; boundary=x',
    'nonsense',
  ]) {
    test(`are JSON whatever their type says: ${JSON.stringify(type)}`, async () => {
      const ticket = document();
      const text = JSON.stringify(ticket);
      for (const [method, body] of [
        ['PUT', text],
        ['PATCH', '{"timeout":9}'],
      ] as const) {
        const headers = [`Content-Type: ${type}`, `Content-Length: ${body.length}`, 'Connection: close'];
        const request = requestBytes(method, `/tickets/${ticket.uuid}`, headers, body);
        assert.equal(parseAnswer(await fixture.exchangeBytes(request, 'control')).status, 200);
      }
    });
  }

  test('are added, shown, extended and removed by an engine that sends no Host', async () => {
    const ticket = document();
    const control = fixture.daemon.address('control');
    assert.ok(control.kind !== 'tls');
    const path = `/tickets/${ticket.uuid}`;
    assert.equal((await callAsJavaEngine(control, 'PUT', path, JSON.stringify(ticket))).status, 200);
    assert.equal((await callAsJavaEngine(control, 'PATCH', path, '{"timeout":9}')).status, 200);
    const shown = await callAsJavaEngine(control, 'GET', path);
    assert.equal((JSON.parse(shown.body) as TicketDocument).uuid, ticket.uuid);
    assert.equal((await callAsJavaEngine(control, 'DELETE', path)).status, 204);
    const gone = await callAsJavaEngine(control, 'GET', path);
    assert.deepEqual([gone.status, gone.reason], [404, 'Not Found']);
  });

  test('are answered with an empty body and its length', async () => {
    const ticket = document();
    for (const [method, body] of [
      ['PUT', JSON.stringify(ticket)],
      ['PATCH', '{"timeout":9}'],
    ] as const) {
      const answer = await vdsm.request(method, `/tickets/${ticket.uuid}`, body);
      assert.deepEqual([answer.status, answer.headers['content-length'], answer.text], [200, '0', '']);
    }
    assert.equal((await vdsm.request('DELETE', `/tickets/${ticket.uuid}`)).status, 204);
  });

  test('that do not exist are 404 and the text names the id', async () => {
    for (const [method, body] of [
      ['GET', undefined],
      ['PATCH', '{"timeout":1}'],
    ] as const) {
      const answer = await vdsm.request(method, '/tickets/no-such-id', body);
      assert.equal(answer.status, 404);
      assert.match(answer.text, /no-such-id/);
    }
    assert.ok(!fixture.daemon.logText.includes('no-such-id'));
  });

  test('are removed once or many times', async () => {
    const ticket = document();
    await vdsm.addTicket(ticket);
    for (let count = 0; count < 3; count++) await vdsm.removeTicket(ticket.uuid);
    await vdsm.removeTicket('never-there');
    assert.equal((await vdsm.request('GET', `/tickets/${ticket.uuid}`)).status, 404);
  });

  test('are extended from now, and keep their own timeout', async () => {
    const ticket = document();
    await vdsm.addTicket(ticket);
    for (const timeout of [5000, 0, 10]) {
      const now = Math.floor(Number(process.hrtime.bigint()) / 1e9);
      await vdsm.extendTicket(ticket.uuid, timeout);
      const info = await vdsm.getTicket(ticket.uuid);
      assert.ok(info.expires >= now + timeout && info.expires <= now + timeout + 30);
      assert.equal(info.timeout, 300);
    }
  });

  for (const body of [
    '{}',
    '{"timeout":-1}',
    '{"timeout":"5"}',
    '{"timeout":1.5}',
    '{"timeout":5.0}',
    '{"timeout":true}',
    '{"timeout":null}',
    '{"timeout":2147483648}',
    '[]',
    'null',
    '',
    'x',
  ]) {
    test(`are not extended by ${body || 'nothing'}`, async () => {
      const ticket = document();
      await vdsm.addTicket(ticket);
      const answer = await vdsm.request('PATCH', `/tickets/${ticket.uuid}`, body);
      assert.equal(answer.status, 400);
      assert.equal((await vdsm.request('PATCH', '/tickets/unknown', body)).status, 400);
    });
  }

  test('are replaced while they are idle', async () => {
    const image = await fixture.addImage(Buffer.from('first'), { ops: ['read'] });
    const client = fixture.client();
    assert.equal((await client.request('GET', image.path)).text, 'first');
    const other = await fixture.addImage(Buffer.from('second'), { uuid: image.id, ops: ['read'] });
    assert.equal((await client.request('GET', image.path)).text, 'second');
    assert.equal(await fixture.openFiles(image.file), 0);
    assert.equal((await vdsm.getTicket(other.id)).transferred, 6);
  });

  test('are not replaced while they run', async () => {
    const image = await fixture.addImage(100);
    const socket = await fixture.connect();
    await socket.send(requestBytes('PUT', image.path, ['Content-Length: 100', 'Connection: close'], 'x'));
    await fixture.ticketState(image, ({ active }) => active, 'the upload runs');
    const answer = await vdsm.request('PUT', `/tickets/${image.id}`, JSON.stringify(image.document));
    assert.equal(answer.status, 409);
    assert.ok(!answer.text.includes(image.id));
    await socket.send('x'.repeat(99));
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 200);
    await vdsm.addTicket(image.document);
  });
});

describe('the list of tickets', () => {
  test('has all of them, is empty after all were removed', async () => {
    await using fixture = await DaemonUnderTest.start();
    const { vdsm } = fixture;
    assert.deepEqual(await vdsm.listTickets(), []);
    const ids = ['one', 'two', 'a/b', '__proto__'];
    for (const uuid of ids) await vdsm.addTicket(document({ uuid }));
    const list = await vdsm.listTickets();
    assert.deepEqual(
      list.map(({ uuid }) => uuid),
      ids,
    );
    // A second may have begun between the two answers.
    const { idle_time: idleSeconds, ...one } = await vdsm.getTicket('one');
    assert.ok(idleSeconds >= list[0]!.idle_time);
    assert.deepEqual(list[0], { ...one, idle_time: list[0]!.idle_time });
    assert.equal((await vdsm.request('DELETE', '/tickets/')).status, 204);
    assert.deepEqual(await vdsm.listTickets(), []);
  });
});
