import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UnauthenticatedError } from '../base/errors.js';
import { encodeTicket, makeVerifier, signMembers } from '../../test/support/signed-tickets.js';

const verifiers = { v1: makeVerifier(), v2: makeVerifier({ allowSha1: false }) };

function isRefused(ticket: string, verifier = verifiers.v1): boolean {
  try {
    verifier.verify(ticket);
    return false;
  } catch (error) {
    assert.ok(error instanceof UnauthenticatedError, `not an UnauthenticatedError: ${String(error)}`);
    return true;
  }
}

/**
 * Everything that the verdict stands on: the signed values, the list of them, and the
 * signature that decides.
 */
const protectedMembers = {
  v1: ['salt', 'data', 'digest', 'validFrom', 'validTo', 'signedFields', 'signature'],
  v2: ['salt', 'data', 'validFrom', 'validTo', 'signedFields', 'v2_signature'],
  dual: ['salt', 'data', 'digest', 'validFrom', 'validTo', 'signedFields', 'v2_signature'],
} as const;

for (const [signatures, names] of Object.entries(protectedMembers)) {
  const members = signMembers({ signatures: signatures as keyof typeof protectedMembers });
  // Without its v2 signature, a ticket with both is a v1 ticket: only where those are
  // refused is v2 not to be spared.
  const verifier = signatures === 'v1' ? verifiers.v1 : verifiers.v2;

  test(`accepts the ${signatures} ticket that is changed here`, () => {
    assert.ok(!isRefused(encodeTicket(members), verifier));
  });

  for (const name of names) {
    test(`refuses a ${signatures} ticket with any one byte of ${name} changed`, () => {
      const original = Buffer.from(members[name]!, 'latin1');
      const change = fc.tuple(fc.nat({ max: original.length - 1 }), fc.integer({ min: 1, max: 255 }));
      fc.assert(
        fc.property(change, ([position, flip]) => {
          const changed = Buffer.from(original);
          changed[position]! ^= flip;
          return isRefused(encodeTicket({ ...members, [name]: changed.toString('latin1') }), verifier);
        }),
        { numRuns: 300 },
      );
    });

    test(`refuses a ${signatures} ticket without ${name}`, () => {
      const rest = Object.fromEntries(Object.entries(members).filter(([key]) => key !== name));
      assert.ok(isRefused(encodeTicket(rest), verifier));
    });

    test(`refuses a ${signatures} ticket whose ${name} is not a string`, () => {
      for (const value of [null, 1, true, [members[name]], { toString: members[name] }]) {
        assert.ok(isRefused(encodeTicket({ ...members, [name]: value }), verifier), JSON.stringify(value));
      }
    });
  }
}

test('refuses a ticket with bytes moved from one signed value to its neighbour', () => {
  const members = signMembers();
  const names = members.signedFields!.split(',');
  fc.assert(
    fc.property(
      fc.nat({ max: names.length - 2 }),
      fc.integer({ min: 1, max: 14 }),
      fc.boolean(),
      (index, count, up) => {
        const left = names[index]!;
        const right = names[index + 1]!;
        const joined = members[left]! + members[right]!;
        const cut = members[left]!.length + (up ? count : -count);
        fc.pre(cut >= 0 && cut <= joined.length);
        return isRefused(
          encodeTicket({ ...members, [left]: joined.slice(0, cut), [right]: joined.slice(cut) }),
        );
      },
    ),
  );
});

test('refuses whatever is not a ticket with an UnauthenticatedError and nothing else', () => {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const garbage = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.base64String({ maxLength: 2000 }),
    fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes).toString('base64')),
    fc.json().map(base64),
    fc
      .dictionary(fc.constantFrom(...protectedMembers.dual, '__proto__', 'constructor'), fc.string())
      .map(encodeTicket),
  );
  fc.assert(
    fc.property(garbage, (text) => isRefused(text)),
    { numRuns: 1000 },
  );
});

test('refuses signed payloads of every kind of JSON with an UnauthenticatedError and nothing else', () => {
  fc.assert(
    fc.property(fc.json(), (payload) => isRefused(encodeTicket(signMembers({ payload })))),
    { numRuns: 50 },
  );
});

test('a changed certificate, comment or v1 signature beside a good v2 signature changes nothing', () => {
  const members = signMembers({ signatures: 'dual' });
  const unprotected = fc.record({ certificate: fc.string(), comment: fc.string(), signature: fc.string() });
  fc.assert(fc.property(unprotected, (rest) => !isRefused(encodeTicket({ ...members, ...rest }))));
});
