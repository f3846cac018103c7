import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { accessInFragment, accessOf } from './access.js';

const origin = 'https://proxy.example:54323';

function signed(data: unknown): string {
  return Buffer.from(JSON.stringify({ salt: 'x', data: JSON.stringify(data) })).toString('base64');
}

const ticket = signed({ 'transfer-ticket': 'an id', exp: 1_700_000_000 });
const access = { kind: 'signed', path: '/images/an%20id', ticket, expiresAt: 1_700_000_000_000 } as const;

describe('what a person has of a transfer', () => {
  test('is a signed ticket, however its lines are broken', () => {
    assert.deepEqual(accessOf(`  ${ticket.slice(0, 20)}\r\n${ticket.slice(20)}\n`, origin), access);
  });

  test('is a signed ticket that does not say when it ends', () => {
    const endless = signed({ 'transfer-ticket': 'id' });
    assert.deepEqual(accessOf(endless, origin), {
      ...access,
      path: '/images/id',
      ticket: endless,
      expiresAt: undefined,
    });
  });

  test('is the address of an image of this service', () => {
    assert.deepEqual(accessOf(`${origin}/images/1f3a`, origin), { kind: 'url', path: '/images/1f3a' });
  });

  test('is a link to this page', () => {
    const link = `${origin}/transfer/#ticket=${encodeURIComponent(ticket)}`;
    assert.deepEqual(accessOf(link, origin), access);
  });

  for (const text of [
    '',
    'hello',
    '{}',
    signed({}),
    signed({ 'transfer-ticket': 5 }),
    'https://',
    'https://[',
    `${origin}/images/`,
    `${origin}/docs`,
  ])
    test(`is not ${JSON.stringify(text.slice(0, 40))}`, () => {
      assert.throws(() => accessOf(text, origin), { name: 'AccessError', code: 'not-a-ticket' });
    });

  test('is not for another service, which is named', () => {
    const refusal = { code: 'other-service', origin: 'https://other.example' };
    assert.throws(() => accessOf('https://other.example/images/1', origin), refusal);
    assert.throws(() => accessOf('https://other.example/transfer/#ticket=x', origin), refusal);
  });
});

describe('the fragment of a link', () => {
  test('carries a ticket, escaped or not', () => {
    // A plus is no space.
    const withPlus = signed({ 'transfer-ticket': 'an id', exp: 1_700_000_000, '~~~': '>>>???' });
    for (const value of [withPlus, encodeURIComponent(withPlus)])
      assert.deepEqual(accessInFragment(`#ticket=${value}`, origin), { ...access, ticket: withPlus });
  });

  test('carries an address', () => {
    const image = { kind: 'url', path: '/images/1f3a' };
    assert.deepEqual(accessInFragment(`#url=${origin}/images/1f3a`, origin), image);
    assert.deepEqual(accessInFragment(`#url=${encodeURIComponent(`${origin}/images/1f3a`)}`, origin), image);
  });

  test('may carry nothing, or something else', () => {
    for (const fragment of ['', '#', '#other=x', '#ticket'])
      assert.equal(accessInFragment(fragment, origin), undefined);
  });

  test('is refused when it carries no ticket', () => {
    assert.throws(() => accessInFragment('#ticket=%', origin), { code: 'not-a-ticket' });
    assert.throws(() => accessInFragment('#url=https://other.example/images/1', origin), {
      code: 'other-service',
    });
  });
});
