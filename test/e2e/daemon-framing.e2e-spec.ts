import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DaemonFixture, type ImageTicket } from './daemon.fixture.js';
import { parseAnswers, requestBytes } from './raw-answers.js';

describe('framing', () => {
  let fixture: DaemonFixture;
  let ticket: ImageTicket;
  let victim: ImageTicket;
  let smuggled: string;
  before(async () => {
    fixture = await DaemonFixture.start();
    ticket = await fixture.addImage(100);
    victim = await fixture.addImage(Buffer.from('untouched'));
    smuggled = requestBytes('PUT', victim.path, ['Content-Length: 4'], 'EVIL');
  });
  after(async () => {
    assert.equal((await fixture.contentOf(victim)).toString(), 'untouched');
    await fixture[Symbol.asyncDispose]();
  });

  const contradictory: readonly (readonly [string, readonly string[]])[] = [
    ['both a length and chunks', ['Content-Length: 4', 'Transfer-Encoding: chunked']],
    ['chunks and a length', ['Transfer-Encoding: chunked', 'Content-Length: 4']],
    ['two lengths', ['Content-Length: 4', 'Content-Length: 5']],
    ['the same length twice', ['Content-Length: 4', 'Content-Length: 4']],
    ['a list of lengths', ['Content-Length: 4, 4']],
    ['an encoding after chunked', ['Transfer-Encoding: chunked, gzip']],
    ['an encoding that is not chunked', ['Transfer-Encoding: gzip']],
    ['chunked twice', ['Transfer-Encoding: chunked, chunked']],
    ['a space before the colon', ['Transfer-Encoding : chunked']],
    ['a length that does not fit', ['Content-Length: 99999999999999999999999']],
  ];
  for (const [what, headers] of contradictory) {
    for (const method of ['PUT', 'PATCH']) {
      test(`refuses ${what} in ${method} with 400 and ends the connection`, async () => {
        const answers = parseAnswers(
          await fixture.exchangeBytes(requestBytes(method, ticket.path, headers, `0\r\n\r\n${smuggled}`)),
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
        const request = requestBytes(method, ticket.path, [header], body);
        const next = requestBytes('GET', '/info/', ['Connection: close']);
        const answers = parseAnswers(await fixture.exchangeBytes(request + next), method === 'HEAD' ? 1 : 0);
        assert.equal(answers[0]!.status, ['GET', 'HEAD', 'OPTIONS'].includes(method) ? 200 : 405);
        // The next request is answered, unless the connection was closed because the body had not been read.
        if (answers.length > 1)
          assert.deepEqual(
            answers.slice(1).map(({ status }) => status),
            [200],
          );
        else assert.equal(answers[0]!.headers['connection'], 'close');
      });
    }
  }

  const refused: readonly (readonly [string, () => string, number])[] = [
    ['an unknown ticket', () => '/images/none', 403],
    ['a missing id', () => '/images/', 400],
    ['a missing route', () => '/none', 404],
    ['a bad query', () => `${ticket.path}?flush=x`, 400],
  ];
  for (const [what, path, status] of refused) {
    test(`never takes the body of a PUT that was refused for ${what} for a request`, async () => {
      const request = requestBytes('PUT', path(), ['Content-Length: 1000000'], smuggled.repeat(20));
      const answers = parseAnswers(await fixture.exchangeBytes(request));
      assert.deepEqual(
        answers.map((answer) => [answer.status, answer.headers['connection']]),
        [[status, 'close']],
      );
    });
  }

  test('reads an upload to its length and what follows as the next request', async () => {
    const put = requestBytes('PUT', ticket.path, [`Content-Length: ${smuggled.length}`], smuggled);
    const enough = await fixture.addImage(smuggled.length);
    const request = put.replace(ticket.path, enough.path);
    const next = requestBytes('GET', enough.path, ['Connection: close']);
    const answers = parseAnswers(await fixture.exchangeBytes(request + next));
    assert.deepEqual(
      answers.map(({ status, body }) => [status, body]),
      [
        [200, ''],
        [200, smuggled],
      ],
    );
  });
});
