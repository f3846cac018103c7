import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NoTicketVerifier, PlainTicketVerifier } from './signed-ticket.verifier.js';
import { UnauthenticatedError } from '../../base/errors.js';
import {
  encodeTicket,
  examplePayload,
  exampleTicketId,
  FakeClock,
  fixedUnixSeconds,
  makeTicket,
  makeVerifier,
  signMembers,
  unixSeconds,
  vectorRules,
} from '../../../test/support/signed-tickets.js';

function refuses(ticket: string, reason: RegExp, settings: Parameters<typeof makeVerifier>[0] = {}): void {
  assert.throws(
    () => makeVerifier(settings).verify(ticket),
    (error) => {
      assert.ok(error instanceof UnauthenticatedError, String(error));
      assert.match(error.message, reason);
      return true;
    },
  );
}

function at(date: string): FakeClock {
  return new FakeClock(unixSeconds(date));
}

test('accepts a fresh v2 ticket and gives the same fingerprint to the same ticket only', () => {
  const ticket = makeTicket();
  const grant = makeVerifier().verify(ticket);
  assert.equal(grant.transferTicketId, exampleTicketId);
  assert.equal(grant.imagedUri.host, 'host.example.com:54322');
  assert.equal(grant.fingerprint, makeVerifier().verify(ticket).fingerprint);
  // The salts of two PSS signatures differ.
  assert.notEqual(grant.fingerprint, makeVerifier().verify(makeTicket()).fingerprint);
});

test('accepts signed fields in any order with blanks around their names', () => {
  makeVerifier().verify(makeTicket({ signedFields: ' validTo, data ,salt,validFrom' }));
});

test('ignores members that are not signed', () => {
  makeVerifier().verify(encodeTicket({ ...signMembers(), comment: 'unsigned', __proto__x: 'y' }));
});

test('never trusts the certificate in the ticket', () => {
  const certificate = 'not even a certificate';
  makeVerifier().verify(encodeTicket({ ...signMembers(), certificate }));
  refuses(encodeTicket({ ...signMembers({ key: 'ca.key' }), certificate }), /wrong signature/);
});

for (const saltLength of [0, 32, 221]) {
  test(`refuses a v2 signature with a salt of ${saltLength} bytes, shorter than the maximum`, () => {
    refuses(makeTicket({ saltLength }), /wrong signature/);
  });
}

test('refuses a v1 signature unless SHA-1 is allowed', () => {
  const ticket = makeTicket({ signatures: 'v1' });
  makeVerifier({ allowSha1: true }).verify(ticket);
  refuses(ticket, /SHA-1/, { allowSha1: false });
});

test('judges a ticket with both signatures by v2 alone', () => {
  const members = signMembers({ signatures: 'dual' });
  makeVerifier({ allowSha1: false }).verify(encodeTicket({ ...members, signature: 'AAAA' }));
  refuses(encodeTicket({ ...members, v2_signature: 'AAAA' }), /wrong signature/);
  refuses(encodeTicket({ ...members, v2_signature: '' }), /not base64/);
});

test('refuses an expired ticket that was cut anew with an invented digest', () => {
  // The old signed dates are declared to be the digest, which only the presence of a v1
  // signature lets be signed.
  const old = signMembers({ validFrom: '20170601000000', validTo: '20170601010000' });
  const recut = {
    ...old,
    signedFields: 'salt,data,digest,validFrom,validTo',
    digest: '2017060100000020170601010000',
    validFrom: '',
    validTo: '',
    signature: 'AAAA',
  };
  refuses(encodeTicket(recut), /unknown digest/);
});

test('refuses a v1 ticket whose digest is not signed', () => {
  refuses(
    makeTicket({ signatures: 'v1', signedFields: 'salt,data,validFrom,validTo' }),
    /signed fields must be/,
  );
});

test('accepts a ticket in the first and the last second of its validity and refuses it beyond', () => {
  const payload = { nbf: 0, exp: unixSeconds('2035-01-01T00:00:00Z'), iat: 0 };
  const ticket = makeTicket({ payload, validFrom: '20300101000000', validTo: '20310101000000' });
  makeVerifier({ clock: at('2030-01-01T00:00:00Z') }).verify(ticket);
  makeVerifier({ clock: at('2031-01-01T00:00:00Z') }).verify(ticket);
  refuses(ticket, /not yet valid/, { clock: at('2029-12-31T23:59:59.999Z') });
  refuses(ticket, /has expired/, { clock: at('2031-01-01T00:00:00.001Z') });
});

test('applies the skew to nbf and exp and not to the validity of the ticket', () => {
  const now = new FakeClock();
  const skew = { allowedSkewSeconds: 30, clock: now };
  makeVerifier(skew).verify(makeTicket({ payload: { nbf: fixedUnixSeconds + 30 } }));
  refuses(makeTicket({ payload: { nbf: fixedUnixSeconds + 31 } }), /nbf is in the future/, skew);
  const grant = makeVerifier(skew).verify(makeTicket({ payload: { exp: fixedUnixSeconds - 29 } }));
  assert.equal(grant.expiresUnixSeconds, fixedUnixSeconds - 29);
  assert.equal(grant.endsUnixSeconds, fixedUnixSeconds + 1);
  refuses(makeTicket({ payload: { exp: fixedUnixSeconds - 30 } }), /exp has passed/, skew);
  refuses(makeTicket({ validTo: '20291231235959' }), /has expired/, skew);
});

test('without skew accepts nbf of now and refuses exp of now', () => {
  makeVerifier().verify(makeTicket({ payload: { nbf: fixedUnixSeconds, exp: fixedUnixSeconds + 1 } }));
  refuses(makeTicket({ payload: { exp: fixedUnixSeconds } }), /exp has passed/);
});

test('refuses a ticket beyond the size limit and accepts one at it', () => {
  const ticket = makeTicket();
  makeVerifier({ signedTicketBytesMax: ticket.length }).verify(ticket);
  refuses(ticket, /longer than the limit/, { signedTicketBytesMax: ticket.length - 1 });
});

test('refuses once the engine certificate expires while the service runs', () => {
  const clock = at('2047-12-31T23:59:59Z');
  const verifier = makeVerifier({ clock });
  const ticket = makeTicket({
    payload: { exp: unixSeconds('2049-01-01T00:00:00Z') },
    validTo: '20490101000000',
  });
  verifier.verify(ticket);
  assert.deepEqual(verifier.warnings, []);
  clock.nowUnixSeconds += 2;
  assert.throws(() => verifier.verify(ticket), /engine certificate has expired/);
  assert.match(verifier.warnings[0]!, /will be refused: engine certificate has expired/);
});

test('takes the plain payload in the debugging mode and warns of it', () => {
  const verifier = new PlainTicketVerifier({ ...vectorRules, signedTicketBytesMax: 512 }, new FakeClock());
  assert.equal(verifier.verify(JSON.stringify(examplePayload)).transferTicketId, exampleTicketId);
  assert.match(verifier.warnings[0]!, /NOT verified/);
  assert.throws(() => verifier.verify(JSON.stringify({ ...examplePayload, exp: 1 })), /exp has passed/);
  assert.throws(() => verifier.verify(makeTicket()), UnauthenticatedError);
  assert.throws(
    () => verifier.verify(JSON.stringify(examplePayload) + ' '.repeat(512)),
    /longer than the limit/,
  );
});

test('accepts no ticket at all without a configured certificate', () => {
  assert.throws(() => new NoTicketVerifier().verify(), UnauthenticatedError);
});
