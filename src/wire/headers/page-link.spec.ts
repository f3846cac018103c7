import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextPageLink, nextPageStart } from './page-link.js';

const links = [
  ['/images/id/extents?limit=5', '<?limit=5&start=7>; rel="next"'],
  ['/images/id/extents?start=3&limit=5', '<?start=7&limit=5>; rel="next"'],
  ['/images/id/extents?start=3&length=10&limit=5', '<?start=7&length=6&limit=5>; rel="next"'],
  ['/images/id/extents?limit=5&x=%3E%3Ba', '<?limit=5&x=%3E%3Ba&start=7>; rel="next"'],
] as const;
for (const [url, link] of links) {
  test(`the page after ${url} begins at 7 and has the rest`, () => {
    assert.equal(nextPageLink(url, 7), link);
    assert.equal(nextPageStart(link), 7);
  });
}

for (const link of [
  undefined,
  '',
  '<https://elsewhere/?start=7>; rel="next"',
  '<?limit=5>; rel="next"',
  '<?start=-7>; rel="next"',
  '<?start=7>; rel="prev"',
  '<?start=9999999999999999>; rel="next"',
  ['<?start=7>; rel="next"'],
]) {
  test(`leads to no next page: ${JSON.stringify(link)}`, () => {
    assert.equal(nextPageStart(link), undefined);
  });
}
