import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainImagePath, routableUrl, ticketIdOfImage } from './ticket-path.js';

const cases: readonly (readonly [string, string])[] = [
  ['/images/x', '/images/x'],
  ['/images/a/b', '/images/a%2Fb'],
  ['/images/a/b/extents', '/images/a%2Fb/extents'],
  ['/images/a/checksum/algorithms', '/images/a/checksum/algorithms'],
  ['/images/a/checksum', '/images/a/checksum'],
  ['/images/extents', '/images/extents'],
  ['/images/a/extents/b', '/images/a%2Fextents%2Fb'],
  ['/images/a/b/jobs', '/images/a%2Fb/jobs'],
  ['/images/a/b/jobs/12', '/images/a%2Fb/jobs/12'],
  ['/images/a/jobs/1/jobs/2', '/images/a%2Fjobs%2F1/jobs/2'],
  ['/images/a%2Fjobs%2F1', '/images/a%2Fjobs%2F1'],
  ['/images/a/jobs/0', '/images/a%2Fjobs%2F0'],
  ['/images/a/jobs/one', '/images/a%2Fjobs%2Fone'],
  ['/images/jobs', '/images/jobs'],
  ['/images/a%2Fb', '/images/a%2Fb'],
  ['/images/../x', '/images/..%2Fx'],
  ['/images/a/', '/images/a%2F'],
  ['/images/a?x=/y/', '/images/a?x=/y/'],
  ['/images/a/b?x=/extents', '/images/a%2Fb?x=/extents'],
  ['/images/', '/images/'],
  ['/images//', '/images/'],
  ['/images//extents', '/images/'],
  ['/images//extents?context=zero', '/images/?context=zero'],
  ['/images', '/images'],
  ['/tickets/a/extents', '/tickets/a%2Fextents'],
  ['/info/', '/info/'],
  ['/__proto__/a/b', '/__proto__/a/b'],
  ['/constructor/a/b', '/constructor/a/b'],
  ['*', '*'],
  ['', ''],
];
for (const [url, routed] of cases) {
  test(`${JSON.stringify(url)} is routed as ${JSON.stringify(routed)}`, () => {
    assert.equal(routableUrl(url), routed);
  });
}

const plain: readonly (readonly [string, Record<string, string>])[] = [
  ['/images/4c1b-x_Y', {}],
  ['/images/4c1b?flush=n', { flush: 'n' }],
  ['/images/4c1b?flush=&close=y', { flush: '', close: 'y' }],
];
for (const [url, query] of plain) {
  test(`${url} is plain`, () => {
    const ticketId = ticketIdOfImage(url);
    assert.deepEqual(plainImagePath(url), { ticketId, query });
    assert.equal(routableUrl(url), url);
  });
}

const notPlain = [
  '/images/',
  '/images/a/extents',
  '/images/a%2Fb',
  '/images/a.b',
  '/images/a?',
  '/images/a?flush',
  '/images/a?=n',
  '/images/a?flush=n&',
  '/images/a?flush=n&flush=y',
  '/images/a?flush=n+',
  '/images/a?__proto__=x',
  '/images/a#',
  `/images/${'a'.repeat(65)}`,
  '/tickets/a',
  '/images/a\n',
];
for (const url of notPlain) {
  test(`${JSON.stringify(url)} is left to the router`, () => {
    assert.equal(plainImagePath(url), undefined);
  });
}
