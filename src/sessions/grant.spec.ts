import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readGrant, type Grant } from './grant.js';
import { UnauthenticatedError } from '../base/errors.js';
import { examplePayload, fixedUnixSeconds } from '../../test/support/signed-tickets.js';

function read(payload: Record<string, unknown> | string, allowHttp = false): Grant {
  const data = typeof payload === 'string' ? payload : JSON.stringify({ ...examplePayload, ...payload });
  return readGrant(data, 'f', fixedUnixSeconds, { allowedSkewSeconds: 0, allowHttp });
}

function refuses(payload: Record<string, unknown> | string, reason: RegExp, allowHttp = false): void {
  assert.throws(
    () => read(payload, allowHttp),
    (error) => error instanceof UnauthenticatedError && reason.test(error.message),
    JSON.stringify(payload),
  );
}

for (const key of ['nbf', 'exp', 'iat', 'imaged-uri', 'transfer-ticket']) {
  test(`refuses a payload without ${key}`, () => {
    refuses({ [key]: undefined }, new RegExp(key));
  });
}

for (const key of ['nbf', 'exp', 'iat']) {
  test(`refuses ${key} that is not an integer of Unix seconds`, () => {
    for (const value of [null, true, '1', 1.5, -1, 253_402_300_800, 2 ** 53, [1]]) {
      refuses({ [key]: value }, new RegExp(`${key} must be an integer`));
    }
    const text = JSON.stringify({ ...examplePayload, [key]: 'number' });
    for (const number of ['1e400', '9007199254740993', '123456789012345678901234567890']) {
      refuses(text.replace('"number"', number), new RegExp(`${key} must be an integer`));
    }
    refuses(text.replace('"number"', 'NaN'), /not a valid JSON object/);
  });
}

test('refuses a key that is there twice', () => {
  refuses(`{"exp":99999999999,${JSON.stringify(examplePayload).slice(1)}`, /not a valid JSON object/);
});

for (const uri of [
  'https://host:54322',
  'https://host.example.com:54322/',
  'https://[fe80::1]:54322',
  'https://10.0.0.1',
]) {
  test(`accepts the daemon uri ${uri}`, () => {
    assert.equal(read({ 'imaged-uri': uri }).imagedUri.pathname, '/');
  });
}

for (const uri of [
  '',
  'host.example.com',
  '//host:54322',
  'ftp://host:54322',
  'file:///etc/passwd',
  'https://',
  'https://host:54322/images',
  'https://host:54322//',
  'https://host:54322/..',
  'https://host:54322?x=1',
  'https://host:54322#x',
  'https://user@host:54322',
  'https://user:password@host:54322',
  'https://host:70000',
  'https://host:',
  'https:\\\\host:54322',
  'https://host\\@other:54322',
  'https://ho\tst:54322',
  ' https://host:54322',
  'https://host:54322\n',
  'https://ho%73t:54322',
  'https://999.1.1.1:54322',
  'https://[::1:54322',
]) {
  test(`refuses the daemon uri ${JSON.stringify(uri)}`, () => {
    refuses({ 'imaged-uri': uri }, /imaged-uri must be/);
  });
}

test('refuses a daemon uri that is longer than any name of a host', () => {
  refuses(
    { 'imaged-uri': `https://${'h'.repeat(300)}:54322` },
    /imaged-uri must have at most 300 characters/,
  );
});

test('accepts a daemon over http only where that is allowed', () => {
  const payload = { 'imaged-uri': 'http://127.0.0.1:8080' };
  assert.equal(read(payload, true).imagedUri.protocol, 'http:');
  refuses(payload, /must be an https uri/);
  refuses({ 'imaged-uri': 'ftp://host:21' }, /imaged-uri must be/, true);
});

test('refuses a transfer ticket that is not a UUID', () => {
  for (const id of [
    '',
    'x',
    '../tickets',
    1,
    null,
    '7a4e1bd2-3f0c-4d59-9a55-6d1a0d9f1c01/',
    '7a4e1bd23f0c4d599a556d1a0d9f1c01',
  ]) {
    refuses({ 'transfer-ticket': id }, /transfer-ticket must be a UUID/);
  }
});

test('takes the transfer id when there is one', () => {
  assert.equal(read({}).transferId, undefined);
  assert.equal(read({ 'transfer-id': null }).transferId, undefined);
  assert.equal(read({ 'transfer-id': 'upload-1' }).transferId, 'upload-1');
  for (const id of ['', 1, {}, 'x'.repeat(257)]) refuses({ 'transfer-id': id }, /transfer-id must be/);
});

test('ignores keys that it does not know', () => {
  read({ 'new-key': { nested: [{ exp: 1, exp2: '":{' }] } });
});
