import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { InvalidDigestError, InvalidRequestError } from '../../base/errors.js';
import {
  announcesContentDigest,
  formatContentDigest,
  hasContentDigest,
  parseContentDigest,
  type DigestAlgorithm,
} from './content-digest.js';

const lengths: Readonly<Record<DigestAlgorithm, number>> = { 'sha-256': 32, 'sha-512': 64 };

/** What a field says, in base64. */
function parsed(field: string): Record<string, string> {
  return Object.fromEntries(
    [...parseContentDigest(field)].map(([algorithm, digest]) => [
      algorithm,
      Buffer.from(digest).toString('base64'),
    ]),
  );
}

function request(headers: Record<string, string>): IncomingMessage {
  return Object.assign(new IncomingMessage(new Socket()), { headers });
}

const sha256 = createHash('sha256').update('hello').digest('base64');
const sha512 = createHash('sha512').update('hello').digest('base64');

describe('Content-Digest', () => {
  test('has a digest for each algorithm that is known', () => {
    assert.deepEqual(parsed(`sha-256=:${sha256}:`), { 'sha-256': sha256 });
    assert.deepEqual(parsed(`sha-512=:${sha512}:,\tsha-256=:${sha256}:`), {
      'sha-256': sha256,
      'sha-512': sha512,
    });
  });

  test('may have others, of which nothing is known', () => {
    assert.deepEqual(parsed(`md5=:AAAA:, id-sha-256=1, x=(1 2), sha-256=:${sha256}:;note="x"`), {
      'sha-256': sha256,
    });
    assert.deepEqual(parsed('md5=:AAAA:'), {});
    assert.deepEqual(parsed(''), {});
  });

  test('says by the last of two of an algorithm what the digest is', () => {
    const other = randomBytes(32).toString('base64');
    assert.deepEqual(parsed(`sha-256=:${other}:, sha-256=:${sha256}:`), { 'sha-256': sha256 });
  });

  for (const field of [
    'sha-256',
    'sha-256=abc',
    'sha-256=1',
    'sha-256="text"',
    `sha-256=(:${sha256}:)`,
    `sha-256=:${sha256}`,
    'sha-256=:*:',
    `SHA-256=:${sha256}:`,
    `sha-256=:${sha256}:,`,
    ', ,',
    `md5=, sha-256=:${sha256}:`,
  ]) {
    test(`is malformed as ${field}`, () => {
      assert.throws(
        () => parseContentDigest(field),
        (error: unknown) => error instanceof InvalidRequestError && !(error instanceof InvalidDigestError),
      );
    });
  }

  for (const [algorithm, lengthBytes] of Object.entries(lengths)) {
    test(`has ${lengthBytes} bytes by ${algorithm}, not one more or less`, () => {
      for (const wrong of [0, lengthBytes - 1, lengthBytes + 1]) {
        const field = `${algorithm}=:${randomBytes(wrong).toString('base64')}:`;
        assert.throws(() => parseContentDigest(field), InvalidDigestError);
      }
    });
  }

  test('is understood as it was written', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<DigestAlgorithm>('sha-256', 'sha-512').chain((algorithm) =>
          fc.record({
            algorithm: fc.constant(algorithm),
            digest: fc.uint8Array({ minLength: lengths[algorithm], maxLength: lengths[algorithm] }),
          }),
        ),
        ({ algorithm, digest }) => {
          const [read] = parseContentDigest(formatContentDigest(algorithm, digest));
          assert.deepEqual(read, [algorithm, digest]);
        },
      ),
    );
  });

  test('is understood or refused, whatever it is', () => {
    const parts = [
      'sha-256',
      'sha-512',
      'x',
      '=',
      ':',
      ';',
      ',',
      '"',
      '(',
      ')',
      '?1',
      ' ',
      'AAAA',
      '\\',
      '\t',
    ];
    const text = fc.array(fc.constantFrom(...parts), { maxLength: 30 }).map((chosen) => chosen.join(''));
    fc.assert(
      fc.property(fc.oneof(text, fc.string()), (field) => {
        try {
          for (const [algorithm, digest] of parseContentDigest(field))
            assert.equal(digest.length, lengths[algorithm]);
        } catch (error: unknown) {
          assert.ok(error instanceof InvalidRequestError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a digest behind the body', () => {
  test('is announced by Trailer, among others and in any case', () => {
    for (const trailer of ['Content-Digest', 'content-digest', 'X-A, CONTENT-DIGEST ,X-B'])
      assert.ok(announcesContentDigest(request({ trailer, 'transfer-encoding': 'chunked' })), trailer);
  });

  test('is not announced by anything else', () => {
    for (const trailer of ['', 'X-Content-Digest', 'Content-Digest-X', 'Content Digest'])
      assert.ok(!announcesContentDigest(request({ trailer, 'transfer-encoding': 'chunked' })), trailer);
    assert.ok(!announcesContentDigest(request({ 'transfer-encoding': 'chunked' })));
  });

  test('cannot be there where a body has its length', () => {
    assert.ok(!announcesContentDigest(request({ trailer: 'Content-Digest', 'content-length': '5' })));
  });

  test('counts as one, as does one in the head', () => {
    assert.ok(hasContentDigest(request({ 'content-digest': '' })));
    assert.ok(hasContentDigest(request({ trailer: 'content-digest', 'transfer-encoding': 'chunked' })));
    assert.ok(!hasContentDigest(request({})));
  });
});
