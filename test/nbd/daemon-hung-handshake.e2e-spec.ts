import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MiB } from '../../src/base/units.js';
import type { RawSocket } from '../support/raw-socket.js';
import { eventually, within } from '../support/deadline.js';
import { parseAnswer } from '../e2e/raw-answers.js';
import { DaemonUnderTest, type ImageTicket } from '../e2e/daemon-under-test.js';
import { allWireRoutes, describeWire, type Wire } from '../e2e/wire-under-test.js';
import { FullBacklogServer } from './full-backlog-server.js';
import { ScriptedServer } from './scripted-server.js';
import { Workspace } from './servers.js';

const sizeBytes = 64 * MiB;

/** Much less than the daemon waits for a server, much more than a busy machine takes. */
const promptMs = 6_000;

/** How far a server comes that then says nothing more. */
const silences = [
  ['before its greeting', 0],
  ['after its greeting', 1],
  ['while options are agreed on', 2],
  ['before it tells of the export', 3],
] as const;

/** @param messagesMax what it sends before it falls silent */
function silentServer(workspace: Workspace, messagesMax: number): Promise<ScriptedServer> {
  const sent = new Map<unknown, number>();
  return ScriptedServer.listen(workspace.path(`silent-${messagesMax}.sock`), {
    sizeBytes,
    reply: () => undefined,
    send: (socket, bytes) => {
      const count = sent.get(socket) ?? 0;
      sent.set(socket, count + 1);
      if (count < messagesMax) socket.write(bytes);
    },
  });
}

describeWire('an NBD server that hangs in the handshake', { routes: allWireRoutes }, (wire) => {
  async function beginRequest(url: string, method = 'GET'): Promise<[ImageTicket, RawSocket]> {
    const ticket = await wire.addImage(undefined, { url, size: sizeBytes });
    const socket = await wire.connect();
    await socket.send(wire.request(method, ticket.path, method === 'PUT' ? ['Content-Length: 10'] : []));
    await wire.ticketState(ticket, ({ active }) => active, 'the request runs');
    return [ticket, socket];
  }

  async function assertRemoved({ id }: ImageTicket): Promise<void> {
    const { status } = await within(wire.vdsm.request('DELETE', `/tickets/${id}`), 'the answer to DELETE', {
      deadlineMs: promptMs,
    });
    assert.equal(status, 204);
  }

  async function assertRefused(socket: RawSocket): Promise<void> {
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 403);
  }

  for (const [when, messagesMax] of silences) {
    test(`${when} does not hold up the removal of its ticket`, async () => {
      await using workspace = await Workspace.create();
      await using server = await silentServer(workspace, messagesMax);
      const [ticket, socket] = await beginRequest(server.url);
      await assertRemoved(ticket);
      await assertRefused(socket);
      await eventually(() => server.connections === 0 || undefined, 'the connection is gone');
    });
  }

  for (const method of ['PUT', 'OPTIONS']) {
    test(`does not hold up the removal of its ticket while a ${method} waits for it`, async () => {
      await using workspace = await Workspace.create();
      await using server = await silentServer(workspace, 1);
      const [ticket, socket] = await beginRequest(server.url, method);
      await assertRemoved(ticket);
      await assertRefused(socket);
    });
  }

  test('does not keep the request of a client that has left', async (context) => {
    if (wire.address.kind === 'unix') {
      context.skip('a unix socket cannot be reset');
      return;
    }
    await using workspace = await Workspace.create();
    await using server = await silentServer(workspace, 1);
    const [ticket, socket] = await beginRequest(server.url);
    // Not an orderly close: a client may close its side after a request and still wants the answer.
    socket.reset();
    await within(gone(wire, ticket), 'the request to end', { deadlineMs: promptMs });
    await eventually(() => server.connections === 0 || undefined, 'the connection is gone');
    await assertRemoved(ticket);
  });

  test('with a TCP connection that gets no answer at all does not hold up the removal either', async () => {
    await using server = await FullBacklogServer.onTcp();
    const [ticket, socket] = await beginRequest(server.url);
    await assertRemoved(ticket);
    await assertRefused(socket);
  });

  test('because its unix socket takes no more connections is told at once', async () => {
    await using workspace = await Workspace.create();
    await using server = await FullBacklogServer.onUnixSocket(workspace.path('full.sock'));
    const ticket = await wire.addImage(undefined, { url: server.url, size: sizeBytes });
    const answer = wire.client().request('GET', ticket.path);
    assert.equal((await within(answer, 'an answer', { deadlineMs: promptMs })).status, 500);
    await assertRemoved(ticket);
  });
});

async function gone(wire: Wire, ticket: ImageTicket): Promise<void> {
  await wire.ticketState(ticket, ({ active, connections }) => !active && connections === 0, 'it is idle');
}

test('a daemon that is stopped does not wait for an NBD server that hangs in the handshake', async () => {
  await using workspace = await Workspace.create();
  await using server = await silentServer(workspace, 1);
  await using fixture = await DaemonUnderTest.start({ limits: { grace_sec: 0.5 } });
  const ticket = await fixture.addImage(undefined, { url: server.url, size: sizeBytes });
  const answer = fixture.client().request('GET', ticket.path);
  await fixture.ticketState(ticket, ({ active }) => active, 'the request runs');
  const stopped = fixture.daemon.stop();
  await within(stopped, 'the daemon to end', { deadlineMs: promptMs });
  assert.equal((await answer).status, 503);
});
