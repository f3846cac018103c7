import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { UnavailableError, type ServiceError } from '../base/errors.js';
import { errorStatus } from '../wire/error-response.js';
import { daemonRefusal } from './daemon-refusal.js';

const image = { origin: new URL('https://host'), path: '/images/secret%2Fid' };

function refused(
  statusCode: number,
  text: string,
  headers: Record<string, string> = {},
): Promise<ServiceError> {
  const answer = new IncomingMessage(new Socket());
  Object.assign(answer, { statusCode, headers });
  answer.push(text);
  answer.push(null);
  return daemonRefusal(answer, image);
}

describe('a refusal of another daemon', () => {
  for (const [theirs, ours] of [
    [401, 403],
    [403, 403],
    [404, 404],
    [409, 409],
    [416, 416],
    [429, 503],
    [503, 503],
    [507, 507],
    [500, 500],
    [501, 500],
    [302, 502],
    [400, 502],
    [405, 502],
  ] as const)
    test(`with ${theirs} is one with ${ours} here`, async () => {
      const error = await refused(theirs, 'why\n');
      assert.equal(errorStatus(error), ours);
      assert.match(ours === 507 ? String(error.cause) : error.message, /why$/);
    });

  test('is told without the id of the ticket, and on one short line', async () => {
    const { message } = await refused(403, `No such\r\nticket secret/id\u001b[2J${'x'.repeat(1000)}`);
    assert.match(message, /the host of the image refused: No such ticket … \[2Jx+$/);
    assert.ok(message.length < 300);
  });

  test('without a text tells its status', async () => {
    assert.match((await refused(418, '')).message, /it answered with status 418$/);
  });

  test('is waited after as long as it says, and not for ever', async () => {
    for (const [said, seconds] of [
      ['7', 7],
      ['99999999', 3600],
      ['soon', undefined],
    ] as const) {
      const error = await refused(503, '', { 'retry-after': said });
      assert.ok(error instanceof UnavailableError);
      assert.equal(error.retryAfterSeconds, seconds);
    }
  });
});
