import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { BadGatewayError } from '../../base/errors.js';
import { answerHead, type AnswerHead } from './daemon-answer.js';

/** The head of an answer whose body has four bytes. */
function headOf(statusCode: number, headers: Record<string, string> = {}, method = 'GET'): AnswerHead {
  const answer = new IncomingMessage(new Socket());
  Object.assign(answer, { statusCode, headers: { 'content-length': '4', ...headers } });
  return answerHead(answer, method);
}

function valueOf({ headers }: AnswerHead, wanted: string): string | undefined {
  return headers.find((_, index) => index % 2 === 1 && headers[index - 1] === wanted);
}

function refuses(statusCode: number, headers: Record<string, string | undefined>, method = 'GET'): void {
  assert.throws(() => headOf(statusCode, headers as Record<string, string>, method), BadGatewayError);
}

describe('the status of a daemon’s answer', () => {
  for (const status of [200, 201, 202, 299, 400, 403, 404, 416, 451, 500, 507, 599]) {
    test(`${status} goes on to the client`, () => {
      assert.equal(headOf(status).status, status);
    });
  }

  for (const status of [0, 1, 99, 100, 101, 102, 199, 300, 301, 302, 303, 304, 307, 308, 399, 600, 999]) {
    test(`${status} is none that the images API has`, () => {
      refuses(status, {});
    });
  }
});

describe('the content type of a daemon’s answer', () => {
  for (const type of [
    'application/octet-stream',
    'application/json',
    'Application/JSON; charset=utf-8',
    'application/problem+json',
    'application/x-ndjson',
    'text/plain;charset=UTF-8',
    'text/plain ; charset=UTF-8',
  ]) {
    test(`${type} goes on as it is`, () => {
      assert.equal(valueOf(headOf(200, { 'content-type': type }), 'Content-Type'), type);
    });
  }

  for (const type of [
    'text/html',
    'text/html; charset=utf-8',
    'image/svg+xml',
    'application/xhtml+xml',
    'application/javascript',
    'text/plain, text/html',
    'text/plain; charset=x, text/html',
    'text/plainly',
    'application/json text/html',
    'multipart/x-mixed-replace; boundary=x',
    'x',
    '',
  ]) {
    test(`${JSON.stringify(type)} becomes one that no browser runs or shows`, () => {
      assert.equal(
        valueOf(headOf(200, { 'content-type': type }), 'Content-Type'),
        'application/octet-stream',
      );
    });
  }

  test('is said where the daemon did not, unless there is nothing', () => {
    assert.equal(valueOf(headOf(200), 'Content-Type'), 'application/octet-stream');
    assert.equal(valueOf(headOf(200, { 'content-length': '0' }), 'Content-Type'), undefined);
    assert.equal(valueOf(headOf(200, {}, 'HEAD'), 'Content-Type'), undefined);
  });
});

describe('the framing of a daemon’s answer', () => {
  const unknownLength = { 'content-length': undefined };

  test('says how long its body is, or that it comes in chunks', () => {
    assert.equal(valueOf(headOf(200), 'Content-Length'), '4');
    headOf(200, { ...unknownLength, 'transfer-encoding': 'chunked' } as never);
    headOf(200, { ...unknownLength, 'transfer-encoding': 'Chunked' } as never);
    refuses(200, unknownLength);
    refuses(500, unknownLength);
  });

  test('has no other coding than chunks', () => {
    for (const coding of ['gzip, chunked', 'identity, chunked', 'gzip', 'chunked, chunked', '']) {
      refuses(200, { ...unknownLength, 'transfer-encoding': coding });
    }
    for (const coding of ['gzip', 'br', 'identity, gzip', '']) refuses(200, { 'content-encoding': coding });
    headOf(200, { 'content-encoding': 'identity' });
  });

  test('is not looked for where there is no body', () => {
    headOf(204, unknownLength as never);
    headOf(200, unknownLength as never, 'HEAD');
    assert.equal(valueOf(headOf(204), 'Content-Length'), undefined);
  });
});

describe('a part of an image', () => {
  for (const range of ['bytes 0-3/8', 'bytes 0-3/*', 'bytes 4-7/8']) {
    test(`says which one it is: ${range}`, () => {
      assert.equal(valueOf(headOf(206, { 'content-range': range }), 'Content-Range'), range);
    });
  }

  for (const range of [undefined, '', 'bytes */8', 'bytes 0-4/8', 'bytes 3-0/8', 'bytes 0-3', '0-3/8']) {
    test(`is refused when it does not: ${String(range)}`, () => {
      refuses(206, { 'content-range': range });
    });
  }

  test('is refused when it comes as several', () => {
    refuses(206, { 'content-type': 'multipart/byteranges; boundary=x' });
    refuses(206, { 'content-range': 'bytes 0-3/8, bytes 0-3/8' });
  });
});
