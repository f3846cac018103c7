import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { wantedDigest } from './want-content-digest.js';

function wanted(field: string | undefined): string | undefined {
  return wantedDigest(
    Object.assign(new IncomingMessage(new Socket()), { headers: { 'want-content-digest': field } }),
  );
}

const wishes: readonly (readonly [string | undefined, string | undefined])[] = [
  [undefined, undefined],
  ['', undefined],
  ['sha-256=1', 'sha-256'],
  ['sha-512=10', 'sha-512'],
  ['sha-256=1, sha-512=2', 'sha-512'],
  ['sha-512=3, sha-256=10, unixsum=0', 'sha-256'],
  ['sha-512=5, sha-256=5', 'sha-256'],
  ['sha-256=0, sha-512=1', 'sha-512'],
  ['sha-256=0', undefined],
  ['md5=10', undefined],
  ['md5=10, sha-256=1;q=0', 'sha-256'],
  // Of a key that comes twice the last one counts (RFC 9651 section 4.2.2).
  ['sha-256=1, sha-256=0', undefined],
  // What is no preference is none.
  ['sha-256', undefined],
  ['sha-256=11', undefined],
  ['sha-256=-1', undefined],
  ['sha-256=0.5', undefined],
  ['sha-256=(1 2)', undefined],
  ['sha-256=:AAAA:', undefined],
  ['sha-256=1,', undefined],
  ['SHA-256=1', undefined],
  ['{"sha-256": 1}', undefined],
];

for (const [field, algorithm] of wishes) {
  test(`Want-Content-Digest ${JSON.stringify(field)} wants ${algorithm ?? 'nothing'}`, () => {
    assert.equal(wanted(field), algorithm);
  });
}
