import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SignedTicketVerifier } from './signed-tickets/signed-ticket.verifier.js';
import { UnauthenticatedError } from '../base/errors.js';
import {
  FakeClock,
  makeVerifier,
  type TicketVector,
  unixSeconds,
  vectors,
  type Verdict,
} from '../../test/support/signed-tickets.js';

/** The verdict, and whether a refusal was for the payload. */
function judge(verifier: SignedTicketVerifier, ticket: string): { verdict: Verdict; reason: string } {
  try {
    verifier.verify(ticket);
    return { verdict: 'valid', reason: 'accepted' };
  } catch (error) {
    assert.ok(error instanceof UnauthenticatedError, `not an UnauthenticatedError: ${String(error)}`);
    return { verdict: 'invalid', reason: error.message };
  }
}

for (const [moment, date] of Object.entries(vectors.clock)) {
  const verifier = makeVerifier({ clock: new FakeClock(unixSeconds(date)) });
  for (const vector of vectors.cases) {
    test(`judges ${vector.name} as ${vector.expect} at ${moment} of the clock: ${vector.reason}`, (t) => {
      const { verdict, reason } = judge(verifier, vector.ticket);
      if (vector.advisory && verdict !== vector.expect) {
        t.diagnostic(`advisory: ${vector.name} is ${verdict} here: ${reason}`);
        return;
      }
      assert.equal(verdict, vector.expect, reason);
      if (verdict === 'invalid') {
        const blamed = vector.envelope === 'valid' ? /^Transfer payload: / : /^Signed ticket: /;
        assert.match(reason, blamed);
      }
    });
  }
}

test('takes from a valid vector what its payload says', () => {
  for (const vector of vectors.cases.filter(({ expect }) => expect === 'valid')) {
    const grant = makeVerifier().verify(vector.ticket);
    const payload = JSON.parse(vector.payload!) as Record<string, unknown>;
    assert.equal(grant.transferTicketId, payload['transfer-ticket'], vector.name);
    assert.equal(grant.imagedUri.href, 'https://localhost:54322/');
    assert.equal(grant.notBeforeUnixSeconds, payload.nbf);
    assert.equal(grant.expiresUnixSeconds, payload.exp);
    assert.equal(grant.issuedAtUnixSeconds, payload.iat);
  }
});

function expectWithoutSha1(vector: TicketVector): Verdict {
  return vector.version === 'v1' ? 'invalid' : vector.expect;
}

test('refuses every v1 vector when SHA-1 is not allowed and keeps the other verdicts', () => {
  const verifier = makeVerifier({ allowSha1: false });
  for (const vector of vectors.cases.filter(({ advisory }) => !advisory)) {
    assert.equal(judge(verifier, vector.ticket).verdict, expectWithoutSha1(vector), vector.name);
  }
});

for (const settings of vectors.config_cases) {
  test(`refuses every vector when ${settings.reason}`, () => {
    const verifier = makeVerifier({
      engineCert: settings.engine_cert_file,
      caCert: settings.engine_ca_cert_file,
    });
    assert.equal(verifier.warnings.length, 1);
    for (const vector of vectors.cases) {
      const { verdict, reason } = judge(verifier, vector.ticket);
      assert.equal(verdict, 'invalid', vector.name);
      assert.match(reason, /^Signed ticket: engine certificate /);
    }
  });
}

test('judges by signatures alone when the certificate is not verified', () => {
  const verifier = makeVerifier({ engineCert: 'engine-expired.pem', verifyCertificate: false });
  assert.deepEqual(verifier.warnings, []);
  for (const vector of vectors.cases.filter(({ advisory }) => !advisory)) {
    assert.equal(judge(verifier, vector.ticket).verdict, vector.expect, vector.name);
  }
});
