import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { ImagesClient, imagePath } from '../support/client.js';
import { eventually } from '../support/deadline.js';
import { decode, encode } from '../support/engine.js';
import { writeRandomImage } from '../support/images.js';
import { RawSocket } from '../support/raw-socket.js';
import type { Service } from '../support/processes.js';
import { Deployment } from './deployment.js';
import { monitored } from './monitoring.js';
import { requestBytes } from './raw-answers.js';

const everything = {
  ...monitored,
  logging: { level: 'trace' },
  limits: { unauthorised_records_per_sec: 1_000_000 },
};
const sizeBytes = MiB;
/**
 * The id of the ticket that transfers go well with: signed tickets name UUIDs only. Its
 * second half is never logged.
 */
const goodTicketId = '1d0f2a7c-61b5-4e0e-9fee-d00dfeedface';

/** What may not be in any log, each with a mark of its own, so that a finding says what it is. */
const marks = {
  goodTicketId: goodTicketId.slice(goodTicketId.length / 2),
  ticketId: 'MARKED-TICKET-ID',
  unknownTicketId: 'MARKED-UNKNOWN-TICKET',
  sessionId: 'MARKED-SESSION-ID',
  signature: 'MARKED-SIGNATURE',
  payload: 'MARKED-PAYLOAD',
  url: 'MARKED-URL',
  body: 'MARKED-BODY',
  query: 'MARKED-QUERY',
  header: 'MARKED-HEADER',
};

describe('the logs of daemon and proxy at level trace', () => {
  let deployment: Deployment;
  let services: readonly Service[];
  const secrets = new Set<string>(Object.values(marks));
  let pathMark: string;

  /** Every way in which an id gets to a service, with each method there is. */
  const askEverywhere = async (id: string, headers: Record<string, string>): Promise<void> => {
    for (const service of services) {
      for (const method of ['OPTIONS', 'GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE']) {
        for (const path of [
          imagePath(id),
          `${imagePath(id)}/extents`,
          `${imagePath(id)}/checksum`,
          `${imagePath(id)}?session_id=${marks.sessionId}`,
          `/tickets/${id}`,
          `/sessions/${id}`,
          `/other/${id}`,
        ]) {
          const client = new ImagesClient(service.address('remote'), { headers });
          const body = method === 'PUT' || method === 'PATCH' ? { body: `{"op":"${marks.body}"` } : {};
          await client.request(method, path, body);
          client.close();
        }
      }
    }
  };

  /** Sends bytes that are no proper request, and reads the refusal. */
  const sendRaw = async (bytes: string): Promise<void> => {
    for (const service of services) {
      for (const listener of ['remote', 'control'] as const) {
        const socket = await RawSocket.connect(service.address(listener));
        await socket.send(bytes);
        socket.halfClose();
        await socket.readUntilClose();
        socket.close();
      }
    }
  };

  before(async () => {
    deployment = await Deployment.start({ daemon: everything, proxy: everything });
    services = [deployment.daemon, deployment.proxy];
    pathMark = deployment.folder.file('MARKED-PATH.raw');
    await writeRandomImage(pathMark, sizeBytes);
  });
  after(async () => {
    await deployment[Symbol.asyncDispose]();
  });

  test('are filled by transfers that go well', async () => {
    const ticketId = goodTicketId;
    await deployment.daemon.vdsm.addTicket({
      uuid: ticketId,
      size: sizeBytes,
      ops: ['read', 'write'],
      timeout: 300,
      url: `file://${pathMark}`,
      transfer_id: 'transfer-1',
    });
    const signedTicket = deployment.signTicket(ticketId);
    secrets.add(signedTicket).add(decode(signedTicket)['v2_signature']!);
    const remote = deployment.proxy.address('remote');
    const client = new ImagesClient(remote, { headers: { Authorization: signedTicket } });
    const opened = await client.request('POST', '/sessions/');
    const sessionId = String(opened.headers['session-id']);
    secrets.add(sessionId);
    client.close();
    const session = new ImagesClient(remote, { headers: { 'Session-Id': sessionId } });
    await session.write(ticketId, Buffer.alloc(4096, 'x'), 0, true);
    await session.zero(ticketId, { offsetBytes: 0, lengthBytes: 4096 });
    await session.extents(ticketId);
    await session.checksum(ticketId);
    await session.read(ticketId, { offsetBytes: 0, lengthBytes: 4096 });
    // As a browser that follows a link.
    const download = await session.request('GET', `${imagePath(ticketId)}?session_id=${sessionId}`);
    assert.equal(download.body.length, sizeBytes);
    await deployment.daemon.vdsm.extendTicket(ticketId, 300);
    await deployment.daemon.vdsm.listTickets();
    assert.equal((await session.request('DELETE', `/sessions/${sessionId}`)).status, 204);
    session.close();
    await eventually(
      () => deployment.daemon.log.find((record) => record['transfer_id'] === 'transfer-1'),
      'the transfer is in the log',
    );
  });

  test('are filled by a ticket of 2.x, whose url has the id of another in it', async () => {
    const ticketId = `y-${marks.ticketId}`;
    const url = `${deployment.daemon.url}/images/${goodTicketId}`;
    await deployment.proxy.vdsm.addTicket({
      uuid: ticketId,
      size: sizeBytes,
      ops: ['read'],
      timeout: 300,
      url,
    });
    const client = new ImagesClient(deployment.proxy.address('remote'));
    assert.equal((await client.request('GET', imagePath(ticketId))).status, 200);
    client.close();
  });

  test('are filled by requests that are refused', async () => {
    await askEverywhere(`z-${marks.unknownTicketId}`, {});
    await askEverywhere(goodTicketId, { 'Session-Id': marks.sessionId });
    await askEverywhere(`a/${marks.unknownTicketId}/%2e%2e`, { Authorization: marks.signature });
    const tampered = encode({
      ...decode(deployment.signTicket(goodTicketId)),
      v2_signature: Buffer.from(marks.signature).toString('base64'),
      salt: marks.signature,
    });
    secrets.add(tampered);
    await askEverywhere(goodTicketId, { Authorization: tampered });
    // A parser's message quotes what it could not parse.
    for (const signed of [
      deployment.engine.sign(`{"transfer-ticket": ${marks.payload}`),
      deployment.engine.sign(JSON.stringify({ 'transfer-ticket': marks.payload, 'imaged-uri': marks.url })),
      Buffer.from(`{"data": ${marks.payload}`).toString('base64'),
    ]) {
      secrets.add(signed);
      await askEverywhere(goodTicketId, { Authorization: signed });
    }
    const client = new ImagesClient(deployment.daemon.address('remote'));
    const path = imagePath(goodTicketId);
    for (const query of ['flush', 'close', 'context', 'algorithm', 'block_size']) {
      await client.request('GET', `${path}/extents?${query}=${marks.query}`);
      await client.request('PUT', `${path}?${query}=${marks.query}`, { body: 'x' });
    }
    for (const header of [
      'Range',
      'Content-Range',
      'X-Request-Id',
      'Content-Type',
      'Accept',
      'Origin',
      'Cookie',
    ])
      await client.request('PUT', path, { body: 'x', headers: { [header]: `<${marks.header}>` } });
    client.close();
  });

  test('are filled by tickets that are refused', async () => {
    const ticket = {
      uuid: `t-${marks.ticketId}`,
      size: 1,
      ops: ['read'],
      timeout: 300,
      url: `file:///${marks.url}`,
    };
    const bodies = [
      JSON.stringify({ ...ticket, size: marks.body }),
      JSON.stringify({ ...ticket, ops: [marks.body] }),
      JSON.stringify({ ...ticket, url: `gopher://${marks.url}` }),
      JSON.stringify({ ...ticket, uuid: marks.unknownTicketId }),
      JSON.stringify(ticket).slice(0, -3),
      marks.body,
      '',
    ];
    for (const { vdsm } of services) {
      for (const body of bodies) {
        for (const id of [ticket.uuid, `%zz${ticket.uuid}`]) {
          assert.ok((await vdsm.request('PUT', `/tickets/${id}`, body)).status >= 400);
          assert.ok((await vdsm.request('PATCH', `/tickets/${id}`, body)).status >= 400);
        }
      }
      assert.equal((await vdsm.request('GET', `/tickets/${marks.unknownTicketId}`)).status, 404);
    }
  });

  test('are filled by what is no request', async () => {
    const path = imagePath(goodTicketId);
    await sendRaw(`GET ${path} HTTP/1.1\r\nNo Header ${marks.header}\r\n\r\n`);
    await sendRaw(`${marks.ticketId} ${path} HTTP/1.1\r\n\r\n`);
    await sendRaw(`GET ${path} HTTP/9.${marks.header}\r\n\r\n`);
    await sendRaw(`GET ${path}/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    await sendRaw(`GET ${path} HTTP/1.1\r\nX: ${marks.header.repeat(2000)}\r\n\r\n`);
    await sendRaw(requestBytes('PUT', path, ['Transfer-Encoding: chunked'], `${marks.body}\r\n`));
    await sendRaw(requestBytes('PUT', path, ['Content-Length: 4', 'Content-Length: 5'], marks.body));
    await sendRaw(requestBytes('PUT', path, [`Content-Length: 1000`, 'Connection: close'], marks.body));
    await sendRaw(requestBytes('GET', `https://${marks.query}${path}?${marks.query}`, ['Connection: close']));
  });

  test('are filled by storage that fails, which only says which file it was', async () => {
    await rename(pathMark, `${pathMark}.away`);
    const client = new ImagesClient(deployment.daemon.address('remote'));
    assert.equal((await client.request('GET', imagePath(goodTicketId))).status, 500);
    client.close();
    await rename(`${pathMark}.away`, pathMark);
    const failed = await eventually(
      () => deployment.daemon.log.find(({ msg, status }) => msg === 'Request ended' && status === 500),
      'the failure is in the log',
    );
    assert.equal(failed['level'], 'error');
  });

  test('have none of the secrets in them, and paths only where storage failed', async () => {
    await Promise.all(services.map((service) => service.stop()));
    for (const service of services) {
      // The levels below info were really there.
      assert.ok(
        service.log.some(({ level }) => level === 'trace'),
        service.role,
      );
      assert.ok(service.log.filter(({ msg }) => msg === 'Request ended').length > 200, service.role);
      for (const secret of secrets) {
        const line = service.program.lines.find((text) => text.includes(secret));
        assert.equal(line, undefined, `${service.role} wrote a secret`);
      }
      for (const line of service.program.lines) {
        if (!line.includes('MARKED-PATH')) continue;
        const { msg, error, ...others } = JSON.parse(line) as Record<string, unknown>;
        assert.ok(
          String(error).includes('MARKED-PATH') && !JSON.stringify(others).includes('MARKED'),
          String(msg),
        );
      }
    }
  });
});
