import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { OpenAPIObject } from '@nestjs/swagger';
import { shareComponents } from './shared-components.js';

const requestId = () => ({ 'X-Request-Id': { schema: { type: 'string' } } });
const refused = (description: string) => ({ description, headers: requestId() });

function shared(operations: Record<string, { tags: string[]; responses: Record<string, object> }>) {
  const paths = Object.fromEntries(Object.entries(operations).map(([path, get]) => [path, { get }]));
  const document = { openapi: '3.1.0', info: {}, paths, components: {} } as unknown as OpenAPIObject;
  shareComponents(document);
  const { responses, headers } = document.components ?? {};
  return { responses, headers, of: (path: string) => document.paths[path]?.get?.responses };
}

describe('what operations have alike', () => {
  test('is one component, named after its kind, for refusals of several groups', () => {
    const { responses, of } = shared({
      '/a': { tags: ['images'], responses: { 403: refused('No.') } },
      '/b': { tags: ['info'], responses: { 403: refused('No.') } },
    });
    assert.deepEqual(Object.keys(responses ?? {}), ['NotAllowed']);
    for (const path of ['/a', '/b'])
      assert.deepEqual(of(path), { 403: { $ref: '#/components/responses/NotAllowed' } });
  });

  test('has the name of the group of operations that alone has it', () => {
    const { responses } = shared({
      '/a': { tags: ['signed-tickets'], responses: { 403: refused('No.') } },
      '/b': { tags: ['signed-tickets'], responses: { 403: refused('No.') } },
      '/c': { tags: ['images'], responses: { 403: refused('Never.') } },
      '/d': { tags: ['images'], responses: { 403: refused('Never.') } },
    });
    assert.deepEqual(Object.keys(responses ?? {}), ['ImagesNotAllowed', 'SignedTicketsNotAllowed']);
  });

  test('stays where it is when it is a success, or a refusal of one operation', () => {
    const { responses, headers, of } = shared({
      '/a': { tags: ['images'], responses: { 200: refused('Done.'), 404: refused('None.') } },
      '/b': { tags: ['images'], responses: { 200: refused('Done.') } },
    });
    assert.deepEqual(responses, {});
    assert.deepEqual(Object.keys(headers ?? {}), ['X-Request-Id']);
    const reference = { $ref: '#/components/headers/X-Request-Id' };
    assert.deepEqual(of('/b'), { 200: { description: 'Done.', headers: { 'X-Request-Id': reference } } });
  });

  test('gives its name to the form that most have', () => {
    const { responses, of } = shared({
      '/a': { tags: ['images'], responses: { 403: refused('Seldom.') } },
      '/b': { tags: ['images'], responses: { 403: refused('Seldom.') } },
      '/c': { tags: ['images'], responses: { 403: refused('Often.') } },
      '/d': { tags: ['images'], responses: { 403: refused('Often.') } },
      '/e': { tags: ['images'], responses: { 403: refused('Often.') } },
    });
    assert.equal(Object.keys(responses ?? {}).length, 1);
    assert.match(JSON.stringify(responses), /Often/);
    assert.match(JSON.stringify(of('/a')), /Seldom/);
  });
});
