import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { imageRequest } from './image-request.js';
import { relayedRoutes } from './relayed-routes.js';

function parse(method: string, url: string, subResource = '') {
  const route = relayedRoutes().find((known) => known.method === method && known.path === subResource);
  if (route === undefined) throw new Error(`There is no route for ${method} ${subResource}`);
  const message = new IncomingMessage(new Socket());
  message.method = method;
  message.url = url;
  return imageRequest(message, 'id', route);
}

describe('a request for an image', () => {
  test('is an operation by its method and path', () => {
    assert.equal(parse('GET', '/').kind, 'read');
    assert.equal(parse('HEAD', '/').kind, 'read');
    assert.equal(parse('PUT', '/').kind, 'write');
    assert.equal(parse('PATCH', '/').kind, 'zero');
    assert.equal(parse('OPTIONS', '/').kind, 'options');
    assert.equal(parse('GET', '/', '/extents').kind, 'extents');
    assert.equal(parse('GET', '/', '/checksum').kind, 'checksum');
  });

  test('that no daemon has a route for is what its method or its path stands for', () => {
    assert.equal(parse('POST', '/').kind, 'write');
    assert.equal(parse('HEAD', '/', '/extents').kind, 'extents');
    assert.equal(parse('HEAD', '/', '/checksum/algorithms').kind, 'checksum');
    assert.equal(parse('PUT', '/', '/extents').kind, 'write');
    assert.equal(parse('PATCH', '/', '/checksum').kind, 'zero');
    assert.equal(parse('OPTIONS', '/', '/checksum').kind, 'options');
  });

  test('may have its answer only when long work is done, unless it reads or asks what can be done', () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS']) assert.equal(parse(method, '/').isLongWork, false);
    for (const method of ['PUT', 'PATCH', 'POST']) assert.equal(parse(method, '/').isLongWork, true);
    for (const method of ['GET', 'HEAD', 'PUT'])
      assert.equal(parse(method, '/', '/extents').isLongWork, true);
  });

  test('writes by PUT, PATCH and POST, and reads by everything else', () => {
    for (const method of ['PUT', 'PATCH', 'POST']) assert.equal(parse(method, '/').access, 'write');
    for (const method of ['GET', 'HEAD', 'OPTIONS']) assert.equal(parse(method, '/').access, 'read');
  });

  test('has its session taken out of the query, in any spelling, and the rest left as it is', () => {
    const { query, sessionIdQuery } = parse('GET', '/images/id?x=%41+&session_id=s&&%73ession_id=t&y');
    assert.equal(sessionIdQuery, 's');
    assert.equal(query, '?x=%41+&&y');
  });

  test('has no query when nothing but the session was in it', () => {
    assert.equal(parse('GET', '/images/id?session_id=s').query, '');
    assert.equal(parse('GET', '/images/id').query, '');
  });

  test('closes the connection with close=y only', () => {
    assert.equal(parse('GET', '/images/id?close=y').closes, true);
    assert.equal(parse('GET', '/images/id?close=n').closes, false);
  });
});
