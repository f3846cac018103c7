import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeWire } from './wire-under-test.js';

const page = Buffer.from('<!DOCTYPE html><script src="/docs/swagger-ui-bundle.js"></script>');

describeWire('an answer about an image is data to a browser, never a page', {}, (wire) => {
  const cases: readonly (readonly [string, string, Record<string, string>, string?])[] = [
    ['GET', '', {}],
    ['HEAD', '', {}],
    ['GET', '', { Range: 'bytes=0-9' }],
    ['GET', '', { Range: 'bytes=9999-' }],
    ['GET', '', { Range: '<script>' }],
    ['OPTIONS', '', {}],
    ['OPTIONS', '', { Origin: 'https://engine.example.com', 'Access-Control-Request-Method': 'PUT' }],
    ['GET', '/extents', {}],
    ['GET', '/extents?context=<script>', {}],
    ['GET', '/checksum', {}],
    ['GET', '/checksum/algorithms', {}],
    ['PUT', '', {}, 'x'],
    ['PATCH', '', {}, '{"op":"flush"}'],
    ['PATCH', '', {}, '<script>'],
    ['DELETE', '', {}],
  ];
  for (const [method, rest, headers, body] of cases) {
    test(`${method} ${rest} ${JSON.stringify(headers)} ${body ?? ''}`, async () => {
      const image = await wire.addImage(page);
      const answer = await wire.client().request(method, `${image.path}${rest}`, {
        headers: { ...wire.credentials(image.path), ...headers },
        ...(body === undefined ? {} : { body }),
      });
      assert.equal(answer.headers['x-content-type-options'], 'nosniff');
      assert.equal(answer.headers['content-security-policy'], 'sandbox');
      assert.match(
        answer.headers['content-type'] ?? 'application/octet-stream',
        /^(application\/(octet-stream|json|problem\+json)|text\/plain)(;|$)/,
      );
    });
  }

  test('whose ticket is not known', async () => {
    const answer = await wire.client().request('GET', '/images/none');
    assert.ok(answer.status === 401 || answer.status === 403);
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
    assert.equal(answer.headers['content-security-policy'], 'sandbox');
  });
});
