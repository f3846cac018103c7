import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { eventually } from '../support/deadline.js';
import type { ImageTicket } from './daemon-under-test.js';
import { parseAnswers } from './raw-answers.js';
import { describeWire, type Wire } from './wire-under-test.js';

/** Others are refused by the proxy. */
const relayedMethods = ['GET', 'HEAD', 'OPTIONS', 'POST'];

describeWire('framing', {}, (wire) => {
  let ticket: ImageTicket;
  let victim: ImageTicket;
  const victimTransferId = randomUUID();
  let unknownPath: string;
  let smuggled: string;
  before(async () => {
    ticket = await wire.addImage(100);
    victim = await wire.addImage(Buffer.from('untouched'), { transfer_id: victimTransferId });
    unknownPath = await wire.addUnknownImage();
    smuggled = wire.request('PUT', victim.path, ['Content-Length: 4'], 'EVIL');
  });
  after(async () => {
    assert.equal((await wire.contentOf(victim)).toString(), 'untouched');
  });

  const contradictory: readonly (readonly [string, readonly string[]])[] = [
    ['both a length and chunks', ['Content-Length: 4', 'Transfer-Encoding: chunked']],
    ['chunks and a length', ['Transfer-Encoding: chunked', 'Content-Length: 4']],
    ['two lengths', ['Content-Length: 4', 'Content-Length: 5']],
    ['the same length twice', ['Content-Length: 4', 'Content-Length: 4']],
    ['a list of lengths', ['Content-Length: 4, 4']],
    ['a length and an encoding', ['Content-Length: 4', 'Transfer-Encoding: gzip, chunked']],
    ['an encoding and a length', ['Transfer-Encoding: gzip, chunked', 'Content-Length: 4']],
    ['a space before the colon', ['Transfer-Encoding : chunked']],
    ['a length that does not fit', ['Content-Length: 99999999999999999999999']],
  ];
  for (const [what, headers] of contradictory) {
    for (const method of ['PUT', 'PATCH']) {
      test(`refuses ${what} in ${method} with 400 and ends the connection`, async () => {
        const answers = parseAnswers(
          await wire.exchangeBytes(wire.request(method, ticket.path, headers, `0\r\n\r\n${smuggled}`)),
        );
        assert.deepEqual(
          answers.map(({ status, headers }) => [status, headers['connection']]),
          [[400, 'close']],
        );
      });
    }
  }

  for (const method of ['GET', 'HEAD', 'OPTIONS', 'DELETE', 'POST', 'PROPFIND']) {
    for (const chunked of [false, true]) {
      test(`never takes the ${chunked ? 'chunked ' : ''}body of ${method} for a request`, async () => {
        const size = smuggled.length;
        const [header, body] = chunked
          ? ['Transfer-Encoding: chunked', `${size.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`]
          : [`Content-Length: ${size}`, smuggled];
        const [id, nextId] = [randomUUID(), randomUUID()];
        const request = wire.request(method, ticket.path, [header, `X-Request-Id: ${id}`], body);
        const next = wire.request('GET', '/info/', ['Connection: close']);
        const answers = parseAnswers(await wire.exchangeBytes(request + next), method === 'HEAD' ? 1 : 0);
        assert.equal(answers[0]!.status, ['GET', 'HEAD', 'OPTIONS'].includes(method) ? 200 : 405);
        // The next request is answered, unless the connection was closed because the body had not been read.
        if (answers.length > 1)
          assert.deepEqual(
            answers.slice(1).map(({ status }) => status),
            [200],
          );
        else assert.equal(answers[0]!.headers['connection'], 'close');
        // What the body would have made of the connection to the daemon would be seen before this.
        const headers = { 'X-Request-Id': nextId };
        assert.equal((await wire.client().request('GET', ticket.path, { headers })).status, 200);
        const reaches = !wire.isRelayed || relayedMethods.includes(method);
        for (const expected of reaches ? [id, nextId] : [nextId])
          await eventually(
            () => requestsAtDaemon(wire, 'request_id', expected)[0],
            'the daemon has logged the request',
          );
        assert.equal(requestsAtDaemon(wire, 'request_id', id).length, reaches ? 1 : 0);
        assert.equal(requestsAtDaemon(wire, 'transfer_id', victimTransferId).length, 0);
      });
    }
  }

  const refused: readonly (readonly [string, () => string, number])[] = [
    ['an unknown ticket', () => unknownPath, 403],
    ['a missing id', () => '/images/', 400],
    ['a missing route', () => '/none', 404],
    ['a bad query', () => `${ticket.path}?flush=x`, 400],
  ];
  for (const [what, path, status] of refused) {
    test(`never takes the body of a PUT that was refused for ${what} for a request`, async () => {
      const request = wire.request('PUT', path(), ['Content-Length: 1000000'], smuggled.repeat(20));
      const answers = parseAnswers(await wire.exchangeBytes(request));
      assert.deepEqual(
        answers.map((answer) => [answer.status, answer.headers['connection']]),
        [[status, 'close']],
      );
    });
  }

  test('reads an upload to its length and what follows as the next request', async () => {
    const enough = await wire.addImage(smuggled.length);
    const request = wire.request('PUT', enough.path, [`Content-Length: ${smuggled.length}`], smuggled);
    const next = wire.request('GET', enough.path, ['Connection: close']);
    const answers = parseAnswers(await wire.exchangeBytes(request + next));
    assert.deepEqual(
      answers.map(({ status, body }) => [status, body]),
      [
        [200, ''],
        [200, smuggled],
      ],
    );
  });
});

function requestsAtDaemon({ daemon }: Wire, field: string, value: string): unknown[] {
  return daemon.daemon.log.filter((record) => record['listener'] === 'remote' && record[field] === value);
}
