import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeSignedTicket } from './signed-ticket.decoder.js';
import { UnauthenticatedError } from '../../base/errors.js';
import { encodeTicket, makeTicket, signMembers, unixSeconds } from '../../../test/support/signed-tickets.js';

function refuses(ticket: string, reason: RegExp): void {
  assert.throws(
    () => decodeSignedTicket(ticket),
    (error) => error instanceof UnauthenticatedError && reason.test(error.message),
    `${reason.source} expected`,
  );
}

function encodeText(json: string | Uint8Array): string {
  return Buffer.from(json).toString('base64');
}

test('takes a v2 ticket apart', () => {
  const members = signMembers();
  const envelope = decodeSignedTicket(encodeTicket(members));
  assert.equal(envelope.data, members.data);
  assert.equal(envelope.signature.version, 'v2');
  assert.deepEqual(Buffer.from(envelope.signature.bytes).toString('base64'), members.v2_signature);
  assert.equal(envelope.validFromUnixSeconds, unixSeconds('2020-01-01T00:00:00Z'));
  assert.equal(envelope.validToUnixSeconds, unixSeconds('2040-01-01T00:00:00Z'));
});

test('joins the signed values in UTF-8 and in the order of signedFields', () => {
  const members = { ...signMembers(), salt: 'é', data: '{}', signedFields: 'data,salt,validTo,validFrom' };
  const { signedBytes } = decodeSignedTicket(encodeTicket(members));
  assert.equal(Buffer.from(signedBytes).toString('utf8'), '{}é2040010100000020200101000000');
});

test('refuses any base64 but the canonical one on one line', () => {
  const ticket = encodeText('{"a":"b"} ');
  assert.equal(ticket.at(-1), '=');
  decodeSignedTicket(makeTicket());
  for (const spelled of [
    ticket.replaceAll('=', ''),
    `${ticket}\n`,
    ` ${ticket}`,
    `${ticket.slice(0, 8)}\r\n${ticket.slice(8)}`,
    `${ticket}=`,
    `Bearer ${ticket}`,
    ticket.replace(/.=/, (last) => `${String.fromCharCode(last.charCodeAt(0) + 1)}=`),
    encodeText('???>>>').replaceAll('/', '_').replaceAll('+', '-'),
    '',
    '====',
  ]) {
    refuses(spelled, /ticket is not base64/);
  }
});

test('refuses text that is not UTF-8', () => {
  refuses(encodeText(Buffer.from('{"salt":"\xff"}', 'latin1')), /not UTF-8/);
});

test('refuses text that is not one JSON object with different keys', () => {
  const members = JSON.stringify(signMembers());
  for (const json of [
    '[]',
    'null',
    '"text"',
    '1e400',
    `\ufeff${members}`,
    `${members}${members}`,
    `{"salt":"x",${members.slice(1)}`,
    `{"s\\u0061lt":"x",${members.slice(1)}`,
    '{"salt":"\\ud800"}',
    '['.repeat(8000),
  ]) {
    refuses(encodeText(json), /not a valid JSON object/);
  }
});

test('refuses values that are not strings, known names or not', () => {
  const members = signMembers();
  refuses(encodeTicket({ ...members, comment: 1 }), /a value is not a string/);
  refuses(encodeTicket({ ...members, certificate: null }), /a value is not a string/);
  refuses(encodeText(`{"__proto__":{},${JSON.stringify(members).slice(1)}`), /a value is not a string/);
});

for (const signedFields of [
  '',
  'salt,data',
  'salt,data,validFrom',
  'salt,data,validFrom,validTo,',
  'salt,data,validFrom,validTo,salt',
  'salt,data,validFrom,validTo,certificate',
  'salt,data,validFrom,validTo,digest',
  'Salt,data,validFrom,validTo',
  'salt data validFrom validTo',
  '__proto__',
]) {
  test(`refuses the signed fields "${signedFields}"`, () => {
    refuses(encodeTicket({ ...signMembers(), signedFields }), /signed fields must be/);
  });
}

test('refuses members that are only inherited', () => {
  const members = signMembers();
  delete members.salt;
  refuses(encodeText(`{"__proto__":"salt",${JSON.stringify(members).slice(1)}`), /no salt/);
});

test('refuses dates of another form and dates that are not in the calendar', () => {
  for (const validTo of [
    '',
    '2040010100000',
    '204001010000000',
    '2040-01-01',
    '20400230000000',
    ' 20400101000000',
  ]) {
    refuses(encodeTicket({ ...signMembers(), validTo }), /validTo is not a date/);
  }
});

test('refuses a signature that is not base64', () => {
  refuses(encodeTicket({ ...signMembers(), v2_signature: 'AA==\n' }), /signature is not base64/);
});

test('quotes nothing of the ticket in its refusals, causes included', () => {
  const marked = encodeText('{"data": MARKED-SECRET}');
  assert.throws(
    () => decodeSignedTicket(marked),
    (error) => {
      for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
        assert.doesNotMatch(`${cause.message} ${cause.stack ?? ''}`, /MARKED/);
      }
      return error instanceof UnauthenticatedError;
    },
  );
});
