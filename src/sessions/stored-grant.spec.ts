import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatGrant, parseGrant } from './stored-grant.js';
import { makeTicket, makeVerifier } from '../../test/vectors/signed-ticket.fixtures.js';

for (const payload of [{}, { 'transfer-id': 'transfer é "1"' }, { 'imaged-uri': 'https://[::1]:54322' }]) {
  test(`reads back a grant with ${JSON.stringify(payload)}`, () => {
    const grant = makeVerifier().verify(makeTicket({ payload }));
    assert.deepEqual(parseGrant(formatGrant(grant)), grant);
  });
}

test('takes no other text for a grant', () => {
  const stored = JSON.parse(formatGrant(makeVerifier().verify(makeTicket()))) as Record<string, unknown>;
  const broken = [
    { ...stored, imagedUri: 'host' },
    { ...stored, endsUnixSeconds: '12' },
    { ...stored, fingerprint: undefined },
    { ...stored, transferId: null },
    null,
    [],
    'text',
  ];
  for (const value of broken) assert.equal(parseGrant(JSON.stringify(value)), undefined);
  assert.equal(parseGrant('{'), undefined);
});
