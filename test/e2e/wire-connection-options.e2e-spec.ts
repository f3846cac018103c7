import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, test } from 'node:test';
import type { ImageTicket } from './daemon-under-test.js';
import { parseAnswers, type RawAnswer } from './raw-answers.js';
import { describeWire } from './wire-under-test.js';

const content = randomBytes(4096);
const part = 'x'.repeat(512);

// A proxy must drop the headers that `Connection` names. Without these a request would
// still be one, of another meaning.
describeWire('a header that Connection names', {}, (wire) => {
  let ticket: ImageTicket;
  before(async () => {
    ticket = await wire.addImage(content);
  });

  const answersTo = async (
    method: string,
    headers: readonly string[],
    body = '',
    path = ticket.path,
  ): Promise<RawAnswer[]> => {
    const request = wire.request(method, path, headers, body);
    // A second request that is refused, and closes, shows that the connection is still
    // in step after the first.
    const last = wire.request('GET', `${path}?close=perhaps`, ['Connection: close']);
    return parseAnswers(await wire.exchangeBytes(request + last));
  };

  for (const names of ['content-range', 'Content-Range, keep-alive', 'keep-alive , CONTENT-RANGE']) {
    test(`says where a PUT writes all the same: ${names}`, async () => {
      const target = await wire.addImage(content);
      const headers = [`Connection: ${names}`, 'Content-Range: bytes 1024-1535/*', 'Content-Length: 512'];
      const [answer] = await answersTo('PUT', headers, part, target.path);
      assert.equal(answer?.status, 200);
      const expected = Buffer.from(content);
      expected.write(part, 1024);
      assert.ok((await wire.contentOf(target)).equals(expected));
    });
  }

  test('says what a GET reads all the same', async () => {
    const [answer] = await answersTo('GET', ['Connection: range', 'Range: bytes=100-199']);
    assert.equal(answer?.status, 206);
    assert.equal(answer.headers['content-range'], 'bytes 100-199/4096');
    assert.equal(answer.body, content.subarray(100, 200).toString('latin1'));
  });

  test('makes a condition all the same', async () => {
    const headers = ['Connection: if-range, range', 'If-Range: "unknown"', 'Range: bytes=100-199'];
    const [answer] = await answersTo('GET', headers);
    assert.equal(answer?.status, 200);
    assert.equal(answer.body.length, content.length);
  });

  test('says how long a body is all the same', async () => {
    const target = await wire.addImage(content);
    const headers = ['Connection: content-length', 'Content-Length: 512'];
    const [answer, next] = await answersTo('PUT', headers, part, target.path);
    assert.equal(answer?.status, 200);
    assert.equal(next?.status, 400);
    assert.ok(
      (await wire.contentOf(target)).equals(Buffer.concat([Buffer.from(part), content.subarray(512)])),
    );
  });

  test('says that a body is chunked all the same', async () => {
    const target = await wire.addImage(content);
    const headers = ['Connection: transfer-encoding', 'Transfer-Encoding: chunked'];
    const [answer, next] = await answersTo('PUT', headers, `200\r\n${part}\r\n0\r\n\r\n`, target.path);
    assert.equal(answer?.status, 200);
    assert.equal(next?.status, 400);
    assert.ok(
      (await wire.contentOf(target)).equals(Buffer.concat([Buffer.from(part), content.subarray(512)])),
    );
  });

  test('asks for JSON all the same', async () => {
    const headers = ['Connection: accept', 'Accept: application/json', 'Range: bytes=4096-'];
    const [answer] = await answersTo('GET', headers);
    assert.equal(answer?.status, 416);
    assert.equal(answer.headers['content-type'], 'application/problem+json');
  });

  test('waits for 100 all the same', async () => {
    const socket = await wire.connect();
    const target = await wire.addImage(content);
    await socket.send(
      wire.request('PUT', target.path, ['Connection: expect', 'Expect: 100-continue', 'Content-Length: 512']),
    );
    await socket.readUntil('100 Continue\r\n\r\n');
    await socket.send(part);
    await socket.readUntil('HTTP/1.1 200 ');
  });

  test('belongs to the service that is asked: Host', async () => {
    const [answer] = await answersTo('GET', ['Connection: host', 'Range: bytes=0-9']);
    assert.equal(answer?.status, 206);
  });
});
