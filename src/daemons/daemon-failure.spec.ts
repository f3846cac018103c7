import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BadGatewayError, ClientGoneError, GatewayTimeoutError, UnavailableError } from '../base/errors.js';
import { daemonFailure, daemonFailureKind } from './daemon-failure.js';

const failure = (code: string) =>
  daemonFailure(Object.assign(new Error(`connect ${code} 192.0.2.1:54322`), { code }));

describe('what a failed request to a daemon means', () => {
  test('no way to the host is unavailable, worth another try', () => {
    for (const code of ['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'EAI_AGAIN']) {
      assert.ok(failure(code) instanceof UnavailableError, code);
    }
  });

  test('a connection that the kernel gave up on is a timeout', () => {
    assert.ok(failure('ETIMEDOUT') instanceof GatewayTimeoutError);
  });

  test('a host that refuses, is not to be trusted or breaks off is a bad gateway', () => {
    for (const code of [
      'ECONNREFUSED',
      'ENOTFOUND',
      'ECONNRESET',
      'EPIPE',
      'EPROTO',
      'CERT_HAS_EXPIRED',
      'ERR_TLS_CERT_ALTNAME_INVALID',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'HPE_INVALID_CONSTANT',
    ]) {
      assert.ok(failure(code) instanceof BadGatewayError, code);
    }
  });

  test('the client is not told where and how, the log is', () => {
    const error = failure('ECONNREFUSED');
    assert.doesNotMatch(error.message, /192|ECONN/);
    assert.match((error.cause as Error).message, /192\.0\.2\.1/);
  });

  test('an error of the domain stays what it is', () => {
    const gone = new ClientGoneError();
    assert.equal(daemonFailure(gone), gone);
  });
});

describe('the kind of a failure', () => {
  const kinds = {
    ECONNREFUSED: 'refused',
    EHOSTUNREACH: 'unreachable',
    EAI_AGAIN: 'unreachable',
    ENOTFOUND: 'unknown_name',
    ETIMEDOUT: 'timeout',
    CERT_HAS_EXPIRED: 'certificate',
    SELF_SIGNED_CERT_IN_CHAIN: 'certificate',
    ERR_TLS_CERT_ALTNAME_INVALID: 'certificate',
    ECONNRESET: 'reset',
    EPIPE: 'reset',
    EPROTO: 'protocol',
    ERR_SSL_WRONG_VERSION_NUMBER: 'protocol',
    HPE_INVALID_CONSTANT: 'protocol',
    EMFILE: 'other',
  };
  for (const [code, kind] of Object.entries(kinds)) {
    test(`is ${kind} for ${code}`, () => {
      assert.equal(daemonFailureKind(failure(code)), kind);
    });
  }

  test('is a broken answer where the daemon had begun one', () => {
    const error = new BadGatewayError('The host of the image broke off its answer');
    assert.equal(daemonFailureKind(error), 'broken_answer');
  });

  test('is none where it is not the daemon that failed', () => {
    const full = new UnavailableError('Too many sessions');
    for (const error of [new ClientGoneError(), full, new Error('bug')])
      assert.equal(daemonFailureKind(error), undefined);
  });
});
