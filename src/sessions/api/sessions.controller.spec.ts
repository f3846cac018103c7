import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SessionEnd } from '../session.js';
import { runFor } from '../../../test/support/session-leases.js';
import { startSessionsApp } from '../../../test/support/sessions-under-test.js';
import {
  exampleTicketId,
  fixedUnixSeconds,
  makeTicket,
  vectors,
} from '../../../test/support/signed-tickets.js';

const exp = fixedUnixSeconds + 3600;

test('opens a session for a signed ticket', async (t) => {
  const { url, sessions } = await startSessionsApp(t);
  const response = await fetch(`${url}/sessions/`, {
    method: 'POST',
    headers: { authorization: makeTicket() },
  });
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type')!, /^application\/json/);
  assert.equal(response.headers.get('cache-control'), 'no-store');
  const id = response.headers.get('session-id')!;
  assert.deepEqual(await response.json(), { session_id: id, expires: exp });
  assert.equal((await sessions.find(id))?.grant.transferTicketId, exampleTicketId);
});

test('opens a session without the trailing slash, and with an empty JSON body', async (t) => {
  const { url } = await startSessionsApp(t);
  const headers = { authorization: makeTicket(), 'content-type': 'application/json' };
  const response = await fetch(`${url}/sessions`, { method: 'POST', headers, body: '' });
  assert.equal(response.status, 200);
});

test('renews a session under the same id, and answers a live one without a ticket as it is', async (t) => {
  const { url, sessions } = await startSessionsApp(t);
  const post = (headers: Record<string, string>): Promise<Response> =>
    fetch(`${url}/sessions/`, { method: 'POST', headers });
  const opened = await post({ authorization: makeTicket() });
  const id = opened.headers.get('session-id')!;
  const renewed = await post({
    authorization: makeTicket({ payload: { exp: exp + 60 } }),
    'session-id': id,
  });
  assert.deepEqual(await renewed.json(), { session_id: id, expires: exp + 60 });
  const asked = await post({ 'session-id': id });
  assert.deepEqual(await asked.json(), { session_id: id, expires: exp + 60 });
  assert.equal(await sessions.count(), 1);
});

test("opens a new session for a ticket of another transfer than the session's", async (t) => {
  const { url, sessions } = await startSessionsApp(t);
  const post = async (headers: Record<string, string>, query = ''): Promise<string | null> =>
    (await fetch(`${url}/sessions/${query}`, { method: 'POST', headers })).headers.get('session-id');
  const victim = (await post({ authorization: makeTicket() }))!;
  const authorization = makeTicket({ payload: { 'transfer-ticket': crypto.randomUUID() } });
  const opened = [
    await post({ authorization, 'session-id': victim }),
    await post({ authorization }, `?session_id=${victim}`),
  ];
  assert.equal(new Set([victim, ...opened]).size, 3);
  assert.equal((await sessions.find(victim))?.grant.transferTicketId, exampleTicketId);
});

test('opens a new session for a ticket that comes with an unknown session id', async (t) => {
  const { url } = await startSessionsApp(t);
  const headers = { authorization: makeTicket(), 'session-id': crypto.randomUUID() };
  const response = await fetch(`${url}/sessions/`, { method: 'POST', headers });
  assert.equal(response.status, 200);
  assert.notEqual(response.headers.get('session-id'), headers['session-id']);
});

test('refuses a bad ticket with 401 even beside a live session, which is left as it was', async (t) => {
  const { url, sessions } = await startSessionsApp(t);
  const opened = await fetch(`${url}/sessions/`, {
    method: 'POST',
    headers: { authorization: makeTicket() },
  });
  const id = opened.headers.get('session-id')!;
  const headers = { authorization: makeTicket({ key: 'ca.key' }), 'session-id': id };
  const response = await fetch(`${url}/sessions/`, { method: 'POST', headers });
  assert.equal(response.status, 401);
  assert.equal(await response.text(), 'Signed ticket: wrong signature\n');
  assert.equal(response.headers.get('session-id'), null);
  assert.equal((await sessions.find(id))?.grant.expiresUnixSeconds, exp);
});

test('refuses with 401 a scheme before the ticket, no ticket, and a session that is over', async (t) => {
  const { url } = await startSessionsApp(t);
  for (const headers of [
    { authorization: `Bearer ${makeTicket()}` },
    {},
    { 'session-id': crypto.randomUUID() },
  ] as Record<string, string>[]) {
    const response = await fetch(`${url}/sessions/`, { method: 'POST', headers });
    assert.equal(response.status, 401);
    assert.notEqual(await response.text(), '');
  }
});

test('judges every vector as POST /sessions/ has to', async (t) => {
  const { url } = await startSessionsApp(t);
  for (const vector of vectors.cases.filter(({ advisory }) => !advisory)) {
    const response = await fetch(`${url}/sessions/`, {
      method: 'POST',
      headers: { authorization: vector.ticket },
    });
    await response.body?.cancel();
    assert.equal(response.status, vector.sessions === 'valid' ? 200 : 401, vector.name);
  }
});

test('refuses a session beyond the limit with 503', async (t) => {
  const { url } = await startSessionsApp(t, { sessionsMax: 1 });
  const post = (): Promise<Response> =>
    fetch(`${url}/sessions/`, { method: 'POST', headers: { authorization: makeTicket() } });
  assert.equal((await post()).status, 200);
  assert.equal((await post()).status, 503);
});

test('deletes a session once and cancels what runs for it', async (t) => {
  const { url, sessions } = await startSessionsApp(t);
  const opened = await fetch(`${url}/sessions/`, {
    method: 'POST',
    headers: { authorization: makeTicket() },
  });
  const id = opened.headers.get('session-id')!;
  const ends: SessionEnd[] = [];
  runFor((await sessions.find(id))!, (end) => ends.push(end));
  const remove = (): Promise<Response> => fetch(`${url}/sessions/${id}`, { method: 'DELETE' });
  assert.equal((await remove()).status, 204);
  assert.deepEqual(ends, ['deleted']);
  assert.equal((await remove()).status, 404);
});

test('answers 404 to the deletion of ids that nobody was given', async (t) => {
  const { url } = await startSessionsApp(t);
  for (const id of ['x', '__proto__', '%2e%2e', 'a%2Fb', '%00', '']) {
    const response = await fetch(`${url}/sessions/${id}`, { method: 'DELETE' });
    assert.equal(response.status, 404, id);
  }
});

test('lets a ticket open another session after the first was deleted', async (t) => {
  // A replay is no theft here: whoever has the signed ticket was given it by the engine, until it expires.
  const { url } = await startSessionsApp(t);
  const headers = { authorization: makeTicket() };
  const first = (await fetch(`${url}/sessions/`, { method: 'POST', headers })).headers.get('session-id')!;
  await fetch(`${url}/sessions/${first}`, { method: 'DELETE' });
  const second = await fetch(`${url}/sessions/`, { method: 'POST', headers });
  assert.equal(second.status, 200);
  assert.notEqual(second.headers.get('session-id'), first);
  const old = await fetch(`${url}/sessions/`, { method: 'POST', headers: { 'session-id': first } });
  assert.equal(old.status, 401);
});

test('answers OPTIONS without authorisation', async (t) => {
  const { url } = await startSessionsApp(t);
  for (const [path, allow] of [
    ['/sessions', 'OPTIONS,POST'],
    ['/sessions/', 'OPTIONS,POST'],
    ['/sessions/unknown', 'OPTIONS,DELETE'],
  ] as const) {
    const response = await fetch(url + path, { method: 'OPTIONS' });
    assert.equal(response.status, 204, path);
    assert.equal(response.headers.get('allow'), allow, path);
  }
});

test('tells an address no more reasons after too many wrong credentials, but takes right ones', async (t) => {
  const { url } = await startSessionsApp(t, { failuresMax: 3 });
  const open = (authorization: string): Promise<Response> =>
    fetch(`${url}/sessions/`, { method: 'POST', headers: { authorization } });
  const unknown = crypto.randomUUID();
  assert.equal((await open('wrong')).status, 401);
  assert.equal((await fetch(`${url}/sessions/${unknown}`, { method: 'DELETE' })).status, 404);
  assert.equal((await fetch(`${url}/tickets/`, { method: 'PUT', body: 'wrong' })).status, 403);
  for (const refused of [
    await open('wrong'),
    await open(''),
    await fetch(`${url}/sessions/${unknown}`, { method: 'DELETE' }),
    await fetch(`${url}/tickets/`, { method: 'PUT', body: 'wrong' }),
    await fetch(`${url}/tickets/${unknown}`, { method: 'DELETE' }),
  ]) {
    assert.equal(refused.status, 429);
    assert.match(await refused.text(), /^Too many failed authentications/);
  }
  const opened = await open(makeTicket());
  assert.equal(opened.status, 200);
  const session = opened.headers.get('session-id')!;
  assert.equal((await fetch(`${url}/sessions/${session}`, { method: 'DELETE' })).status, 204);
});
