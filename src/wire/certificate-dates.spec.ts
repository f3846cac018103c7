import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from '../../test/support/project.js';
import { certificateDateProblem } from './certificate-dates.js';

const certificate = new X509Certificate(readFileSync(join(projectRoot, 'test', 'vectors', 'engine.pem')));
const from = certificate.validFromDate.getTime();
const to = certificate.validToDate.getTime();
const day = 86_400_000;

/** A certificate of the same kind that lives from the epoch on. */
function living(days: number): X509Certificate {
  return Object.create(certificate, {
    validFromDate: { value: new Date(0) },
    validToDate: { value: new Date(days * day) },
  }) as X509Certificate;
}

const cases: readonly [string, X509Certificate, number, RegExp | undefined][] = [
  ['is not valid yet', certificate, from - 1, /^is not valid before \d{4}-.*Z: clients refuse it$/],
  ['has just begun', certificate, from, undefined],
  ['has a week left', certificate, to - 7 * day, undefined],
  ['has less than a week left', certificate, to - 7 * day + 1, /^expires at .*Z: renew it$/],
  ['is in its last moment', certificate, to, /^expires at /],
  ['is over', certificate, to + 1, /^has expired at .*Z: clients refuse it$/],
  ['lives a day and has a tenth of it left', living(1), day * 0.9, undefined],
  ['lives a day and has less than a tenth of it left', living(1), day * 0.9 + 1, /^expires at /],
];
for (const [what, subject, at, expected] of cases) {
  test(`${expected === undefined ? 'says nothing' : 'warns'} of a certificate that ${what}`, () => {
    const problem = certificateDateProblem(subject, new Date(at));
    if (expected === undefined) assert.equal(problem, undefined);
    else assert.match(String(problem), expected);
  });
}
