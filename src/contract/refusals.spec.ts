import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as errors from '../errors.js';
import { statusOfError } from '../http/error-response.js';
import { codeOfStatus } from './refusals.js';

/** One of each kind that has a status. */
const samples: readonly errors.ServiceError[] = [
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
  new errors.BadGatewayError('x'),
  new errors.TooManyFailuresError(1),
  new errors.UnavailableError('x', 1),
  new errors.GatewayTimeoutError('x'),
];

test('has an example of every error that has a status', () => {
  for (const [type] of statusOfError)
    assert.ok(
      samples.some((sample) => sample.constructor === type),
      type.name,
    );
});

test('names the errors in examples as the service does', () => {
  const actual = statusOfError.flatMap(([type, status]) => {
    const sample = samples.find((error) => error.constructor === type);
    // Which methods there are is a matter of the path, not of an operation: the contract describes it once for all.
    return status === 405 || sample === undefined ? [] : [[status, sample.code]];
  });
  assert.deepEqual(Object.fromEntries(actual), codeOfStatus);
});
