import assert from 'node:assert/strict';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { begunJobHeaders } from './begun-job.js';

const accepted = (headers: IncomingHttpHeaders, statusCode = 202): IncomingMessage =>
  ({ statusCode, headers }) as IncomingMessage;

const cases: readonly (readonly [string, IncomingMessage, readonly string[]])[] = [
  [
    'a job at the path that the client knows',
    accepted({ location: '/images/secret/jobs/3', 'preference-applied': 'respond-async' }),
    ['Location', '/images/a%2Fb/jobs/3', 'Preference-Applied', 'respond-async'],
  ],
  [
    'a preference of another kind not at all',
    accepted({ location: '/images/secret/jobs/3', 'preference-applied': 'return=minimal' }),
    ['Location', '/images/a%2Fb/jobs/3'],
  ],
  ['another place not at all', accepted({ location: 'https://elsewhere/login' }), []],
  ['an answer that begins no job not at all', accepted({ location: '/images/x/jobs/3' }, 201), []],
];
for (const [what, answer, expected] of cases)
  test(`passes on ${what}`, () => {
    assert.deepEqual(begunJobHeaders(answer, '/images/a%2Fb'), expected);
  });
