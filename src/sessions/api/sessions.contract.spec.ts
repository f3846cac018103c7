import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as library from '@nestjs/swagger';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { applyDescriptions } from '../../contract/decorators.js';
import { addProxySecurity } from '../../contract/security.js';
import { SessionsModule } from '../sessions.module.js';
import { startSessionsApp } from '../../../test/support/sessions-under-test.js';

/** Where each operation is and which statuses it tells of, by its id. */
function describeOperations(document: OpenAPIObject): Record<string, string> {
  const descriptions: Record<string, string> = {};
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of ['get', 'head', 'put', 'post', 'patch', 'delete', 'options'] as const) {
      const operation = item[method];
      if (!operation) continue;
      assert.ok(operation.operationId && operation.summary && operation.description, `${method} ${path}`);
      descriptions[operation.operationId] =
        `${method} ${path}: ${Object.keys(operation.responses).join(' ')}`;
    }
  }
  return descriptions;
}

test('describes every operation with all its statuses', async (t) => {
  const { app } = await startSessionsApp(t);
  applyDescriptions(library);
  const config = addProxySecurity(new DocumentBuilder()).build();
  const document = SwaggerModule.createDocument(app, config, { include: [SessionsModule] });
  assert.deepEqual(describeOperations(document), {
    openSession: 'post /sessions: 200 401 429 431 501 503',
    deleteSession: 'delete /sessions/{id}: 204 400 404 429 431 501 503',
    getSessionsOptions: 'options /sessions: 204 431 501 503',
    getSessionOptions: 'options /sessions/{id}: 204 400 431 501 503',
    putSignedTicket: 'put /tickets: 200 400 403 408 413 415 429 431 501 503',
    putSignedTicketById: 'put /tickets/{id}: 200 400 403 408 413 415 429 431 501 503',
    deleteSignedTicket: 'delete /tickets/{id}: 204 400 404 429 431 501 503',
  });
  const openSession = document.paths['/sessions']?.post;
  // A signed ticket opens a session, a live session is answered as it is, both renew it.
  assert.deepEqual(openSession?.security, [
    { signedTicket: [] },
    { sessionHeader: [] },
    { signedTicket: [], sessionHeader: [] },
  ]);
});

test('has signed tickets sent as they are, and not as a JSON string', async (t) => {
  const { app } = await startSessionsApp(t);
  applyDescriptions(library);
  const document = SwaggerModule.createDocument(app, new DocumentBuilder().build(), {
    include: [SessionsModule],
  });
  for (const path of ['/tickets', '/tickets/{id}']) {
    const body = document.paths[path]?.put?.requestBody;
    assert.ok(body && 'content' in body);
    assert.deepEqual(Object.keys(body.content), ['text/plain']);
  }
});
