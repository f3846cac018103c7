import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatGrant, parseGrant } from './grant-text.js';
import { makeTicket, makeVerifier } from '../../../test/support/signed-tickets.js';

const rules = { allowHttp: false };

for (const payload of [{}, { 'transfer-id': 'transfer é "1"' }, { 'imaged-uri': 'https://[::1]:54322' }]) {
  test(`reads back a grant with ${JSON.stringify(payload)}`, () => {
    const grant = makeVerifier().verify(makeTicket({ payload }));
    assert.deepEqual(parseGrant(formatGrant(grant), rules), grant);
  });
}

test('takes no other text for a grant', () => {
  const stored = JSON.parse(formatGrant(makeVerifier().verify(makeTicket()))) as Record<string, unknown>;
  const broken: unknown[] = [
    ...[
      'host',
      '',
      7,
      'ftp://host',
      'http://host:54322',
      'https://',
      'https://user@host',
      'https://host/path',
    ],
    ...[
      'https://host?query',
      'https://host#part',
      'https://ho st',
      `https://${'h'.repeat(300)}`,
      'file:///etc',
    ],
  ].map((imagedUri) => ({ ...stored, imagedUri }));
  const otherIds = ['', 'ticket', '../images', `${String(stored['transferTicketId'])}/x`, null];
  for (const transferTicketId of otherIds) broken.push({ ...stored, transferTicketId });
  for (const key of ['notBefore', 'issuedAt', 'expires', 'ends'].map((name) => `${name}UnixSeconds`))
    for (const time of ['12', -1, 1.5, 1e300, null, undefined]) broken.push({ ...stored, [key]: time });
  for (const fingerprint of [undefined, '', 'x'.repeat(64), 'a'.repeat(63), ['a'.repeat(64)]])
    broken.push({ ...stored, fingerprint });
  for (const transferId of [null, '', 7, 'x'.repeat(257)]) broken.push({ ...stored, transferId });
  broken.push({ ...stored, endsUnixSeconds: Number(stored['expiresUnixSeconds']) - 1 });
  broken.push({ ...stored, more: 'x'.repeat(4096) }, null, [], 'text', 7, {});
  for (const value of broken)
    assert.equal(parseGrant(JSON.stringify(value), rules), undefined, JSON.stringify(value));
  for (const text of ['', '{', '{}{}', '[['.repeat(1000)]) assert.equal(parseGrant(text, rules), undefined);
});

test('takes a daemon without TLS only where TLS is off', () => {
  const imagedUri = 'http://localhost:54322';
  const verifier = makeVerifier({ allowHttp: true });
  const grant = verifier.verify(makeTicket({ payload: { 'imaged-uri': imagedUri } }));
  assert.deepEqual(parseGrant(formatGrant(grant), { allowHttp: true }), grant);
  assert.equal(parseGrant(formatGrant(grant), rules), undefined);
});
