import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as errors from '../base/errors.js';
import { statusOfError } from '../wire/error-response.js';
import { codeOfStatus } from './refusals.js';

/** One of each kind that has a status. */
const samples: readonly errors.ServiceError[] = [
  new errors.DigestMismatchError('sha-256', new Uint8Array(32)),
  new errors.InvalidDigestError('sha-256', 32),
  new errors.ChecksumMismatchError('x', 'y'),
  new errors.DamagedBodyError('x'),
  new errors.InvalidRequestError('x'),
  new errors.UnauthenticatedError('x'),
  new errors.NotAllowedError('x'),
  new errors.NotFoundError('x'),
  new errors.MethodNotAllowedError('GET', ['PUT']),
  new errors.ClientTimeoutError('x'),
  new errors.ConflictError('x'),
  new errors.PayloadTooLargeError(1),
  new errors.UnsupportedMediaTypeError('x'),
  new errors.RangeNotSatisfiableError('x'),
  new errors.TooManyHeadersError(1),
  new errors.NoSpaceError(),
  new errors.StorageError('x'),
  new errors.UnsupportedTransferCodingError(),
  new errors.UnsupportedVersionError('2.0'),
  new errors.BadGatewayError('x'),
  new errors.TooManyFailuresError(1),
  new errors.UnavailableError('x'),
  new errors.GatewayTimeoutError('x'),
];

test('has an example of every error that has a status', () => {
  for (const [type] of statusOfError)
    assert.ok(
      samples.some((sample) => sample.constructor === type),
      type.name,
    );
});

/**
 * Which methods there are is a matter of the path and not of an operation, and no client that is made from
 * the contract speaks another version of HTTP: docs/protocol.md describes both.
 */
const statusesOfNoOperation = [405, 505];

test('names the errors in examples as the service does', () => {
  const actual = statusOfError.flatMap(([type, status]) => {
    const sample = samples.find((error) => error.constructor === type);
    return statusesOfNoOperation.includes(status) || sample === undefined ? [] : [[status, sample.code]];
  });
  assert.deepEqual(Object.fromEntries(actual), codeOfStatus);
});
