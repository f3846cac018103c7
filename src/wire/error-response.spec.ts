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

describe('the answer to an error', () => {
  test('is a line of text, or problem details for who prefers JSON', () => {
    const error = new errors.NotFoundError('No such ticket "x"');
    assert.deepEqual(errorResponse(error, undefined), {
      status: 404,
      headers: { 'Content-Type': 'text/plain; charset=UTF-8' },
      body: 'No such ticket "x"\n',
      closes: false,
    });
    const { headers, body } = errorResponse(error, 'application/json');
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
        assert.doesNotMatch(JSON.stringify(errorResponse(error, accept)), /SECRET/);
      }
    }
  });

  test('carries what the client needs to go on', () => {
    const headersOf = (error: Error): Readonly<Record<string, string>> =>
      errorResponse(error, undefined).headers;
    assert.equal(headersOf(new errors.RangeNotSatisfiableError('x', 0))['Content-Range'], 'bytes */0');
    assert.equal(headersOf(new errors.RangeNotSatisfiableError('x'))['Content-Range'], undefined);
    assert.equal(headersOf(new errors.MethodNotAllowedError('FOO', ['GET', 'PUT']))['Allow'], 'GET,PUT');
    assert.equal(headersOf(new errors.UnavailableError('x', 0.2))['Retry-After'], '1');
  });

  test('closes the connection of a client that was refused access or too slow', () => {
    assert.equal(errorResponse(new errors.NotAllowedError('x'), undefined).closes, true);
    assert.equal(errorResponse(new errors.ClientTimeoutError('x'), undefined).closes, true);
    assert.equal(errorResponse(new errors.InvalidRequestError('x'), undefined).closes, false);
  });
});
