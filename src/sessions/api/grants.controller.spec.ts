import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SessionEnd } from '../session.js';
import { runFor } from '../../../test/support/session-leases.js';
import { startSessionsApp } from '../../../test/support/sessions-under-test.js';
import { exampleTicketId, makeTicket, vectors } from '../../../test/support/signed-tickets.js';

function put(
  url: string,
  body: string | Uint8Array<ArrayBuffer>,
  contentType: string | null = 'application/json; charset=utf-8',
): Promise<Response> {
  return fetch(url, {
    method: 'PUT',
    body,
    headers: contentType === null ? {} : { 'content-type': contentType },
  });
}

for (const path of ['/tickets/', '/tickets', `/tickets/${exampleTicketId}`]) {
  test(`stores a signed ticket by PUT ${path}`, async (t) => {
    const { url, grants } = await startSessionsApp(t);
    const response = await put(url + path, makeTicket());
    assert.equal(response.status, 200);
    assert.equal(await response.text(), '');
    assert.ok(await grants.find(exampleTicketId));
  });
}

test('stores a ticket of any content type, and with the newline of a file', async (t) => {
  const { url } = await startSessionsApp(t);
  for (const type of ['text/plain', 'application/octet-stream', 'application/x-www-form-urlencoded', 'x/y']) {
    assert.equal((await put(`${url}/tickets/`, `${makeTicket()}\n`, type)).status, 200, type);
  }
  const untyped = await put(`${url}/tickets/`, new TextEncoder().encode(makeTicket()), null);
  assert.equal(untyped.status, 200);
});

test('judges every vector as PUT /tickets/ has to', async (t) => {
  const { url } = await startSessionsApp(t);
  for (const vector of vectors.cases.filter(({ advisory }) => !advisory)) {
    const response = await put(`${url}/tickets/`, vector.ticket);
    await response.body?.cancel();
    assert.equal(response.status, vector.tickets === 'valid' ? 200 : 403, vector.name);
  }
});

test('refuses with 403 what is not a ticket, and says why', async (t) => {
  const { url, grants } = await startSessionsApp(t);
  for (const body of ['', '{}', new Uint8Array([0xff, 0, 1]), 'A'.repeat(20_000)]) {
    const response = await put(`${url}/tickets/`, body);
    assert.equal(response.status, 403);
    assert.match(await response.text(), /^You are not allowed to access this resource: Signed ticket: /);
  }
  assert.equal(await grants.count(), 0);
});

test('refuses with 400 a ticket for another id than the path has', async (t) => {
  const { url, grants } = await startSessionsApp(t);
  for (const id of [crypto.randomUUID(), exampleTicketId.toUpperCase(), '..%2f', '__proto__']) {
    assert.equal((await put(`${url}/tickets/${id}`, makeTicket())).status, 400, id);
  }
  assert.equal(await grants.count(), 0);
});

test('refuses tickets beyond the limit with 503', async (t) => {
  const { url } = await startSessionsApp(t, { sessionsMax: 1 });
  assert.equal((await put(`${url}/tickets/`, makeTicket())).status, 200);
  const another = makeTicket({ payload: { 'transfer-ticket': crypto.randomUUID() } });
  assert.equal((await put(`${url}/tickets/`, another)).status, 503);
});

test('deletes a ticket once and cancels what runs under it', async (t) => {
  const { url, grants } = await startSessionsApp(t);
  await put(`${url}/tickets/`, makeTicket());
  const ends: SessionEnd[] = [];
  runFor((await grants.find(exampleTicketId))!, (end) => ends.push(end));
  const remove = (): Promise<Response> => fetch(`${url}/tickets/${exampleTicketId}`, { method: 'DELETE' });
  assert.equal((await remove()).status, 204);
  assert.deepEqual(ends, ['deleted']);
  assert.equal((await remove()).status, 404);
});

test('refuses a deletion without id with 400', async (t) => {
  const { url } = await startSessionsApp(t);
  for (const path of ['/tickets', '/tickets/']) {
    const response = await fetch(url + path, { method: 'DELETE' });
    assert.equal(response.status, 400, path);
    assert.equal(await response.text(), 'Ticket id is required\n');
  }
});
