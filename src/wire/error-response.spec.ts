import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as errors from '../base/errors.js';
import { errorResponse, errorStatus, statusOfError } from './error-response.js';

type Constructor = new (...args: never[]) => Error;

/** Every error class that the domain can throw. */
const classes = Object.entries(errors).filter(
  ([name, value]) =>
    (value as Constructor).prototype instanceof errors.ServiceError && name !== 'ServiceError',
) as readonly (readonly [string, Constructor])[];

describe('the status of an error', () => {
  for (const [name, type] of classes) {
    // Nobody is there to read an answer to it.
    if (name === 'ClientGoneError') continue;
    test(`is defined for ${name}`, () => {
      assert.ok(statusOfError.some(([known]) => (known as unknown) === type));
      const error = Object.create(type.prototype as object) as Error;
      const own = statusOfError.find(([known]) => (known as unknown) === type);
      assert.equal(errorStatus(error), own?.[1], 'a parent stands before it');
    });
  }

  test('is 500 for what is not of the domain', () => {
    for (const thrown of [new Error('x'), new TypeError('x'), 'x', null, undefined]) {
      assert.equal(errorStatus(thrown), 500);
    }
  });
});

const request = { accept: undefined, retryAfterSeconds: 42 };

describe('the answer to an error', () => {
  test('is a line of text, or problem details for who prefers JSON', () => {
    const error = new errors.NotFoundError('No such ticket "x"');
    assert.deepEqual(errorResponse(error, request), {
      status: 404,
      headers: { 'Content-Type': 'text/plain; charset=UTF-8' },
      body: 'No such ticket "x"\n',
      closes: false,
    });
    const { headers, body } = errorResponse(error, { ...request, accept: 'application/json' });
    assert.equal(headers['Content-Type'], 'application/problem+json');
    assert.deepEqual(JSON.parse(body), {
      type: 'urn:ovirt-imageio:error:not_found',
      title: 'No such ticket "x"',
      status: 404,
    });
  });

  test('says nothing of what is not of the domain, nor of causes', () => {
    for (const error of [
      new Error('SECRET'),
      new errors.StorageError('Reading failed', { cause: new Error('SECRET') }),
    ]) {
      for (const accept of [undefined, 'application/json']) {
        assert.doesNotMatch(JSON.stringify(errorResponse(error, { ...request, accept })), /SECRET/);
      }
    }
  });

  test('carries what the client needs to go on', () => {
    const headersOf = (error: Error): Readonly<Record<string, string>> =>
      errorResponse(error, request).headers;
    assert.equal(headersOf(new errors.RangeNotSatisfiableError('x', 0))['Content-Range'], 'bytes */0');
    assert.equal(headersOf(new errors.RangeNotSatisfiableError('x'))['Content-Range'], undefined);
    assert.equal(headersOf(new errors.MethodNotAllowedError('FOO', ['GET', 'PUT']))['Allow'], 'GET,PUT');
  });

  test('says when to try again: after the time of the error, or else that of the configuration', () => {
    const retryAfter = (options?: errors.UnavailableErrorOptions): string | undefined =>
      errorResponse(new errors.UnavailableError('x', options), request).headers['Retry-After'];
    assert.equal(retryAfter({ retryAfterSeconds: 0.2 }), '1');
    assert.equal(retryAfter({ retryAfterSeconds: 0 }), '0');
    assert.equal(retryAfter(), '42');
  });

  test('closes the connection of a client that was refused access or too slow', () => {
    assert.equal(errorResponse(new errors.NotAllowedError('x'), request).closes, true);
    assert.equal(errorResponse(new errors.ClientTimeoutError('x'), request).closes, true);
    assert.equal(errorResponse(new errors.InvalidRequestError('x'), request).closes, false);
  });
});
