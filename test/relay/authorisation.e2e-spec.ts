import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { imagePath } from '../support/client.js';
import { eventually } from '../support/deadline.js';
import { certificates } from './relay-certificates.js';
import { RelayUnderTest } from './relay-under-test.js';
import { cut, ScriptedDaemon, type Script } from './scripted-daemon.js';

const { pki, daemon: identity } = await certificates();

const tellsPath: Script = ({ request, response }) => {
  response.end(request.url);
};
const neverEnds: Script = ({ response }) => {
  response.writeHead(200, { 'Content-Length': 100 }).write('half');
};

async function statusOf(method: string, path: string, relay: RelayUnderTest, headers = {}): Promise<number> {
  return (await relay.client({ headers }).request(method, path)).status;
}

describe('a session', () => {
  test('is opened by a signed ticket, and told', async () => {
    await using daemon = await ScriptedDaemon.start(identity, tellsPath);
    await using relay = await RelayUnderTest.start(pki);
    const id = randomUUID();
    const client = relay.client({ headers: { Authorization: relay.credential(daemon.origin, id) } });
    const answer = await client.request('GET', `/images/${id}/extents?context=zero`);
    assert.equal(answer.status, 200);
    assert.equal(answer.text, `/images/${id}/extents?context=zero`);
    const session = await relay.sessions.find(String(answer.headers['session-id']));
    assert.equal(session?.grant.transferTicketId, id);
  });

  for (const how of ['header', 'query'] as const) {
    test(`authorises by its id in the ${how}`, async () => {
      await using daemon = await ScriptedDaemon.start(identity, tellsPath);
      await using relay = await RelayUnderTest.start(pki);
      const id = randomUUID();
      const opened = await relay
        .client({ headers: { Authorization: relay.credential(daemon.origin, id) } })
        .request('GET', imagePath(id));
      const session = String(opened.headers['session-id']);
      const client = relay.client(
        how === 'header' ? { headers: { 'Session-Id': session } } : { query: `session_id=${session}` },
      );
      assert.equal((await client.request('GET', imagePath(id))).text, imagePath(id));
    });
  }

  test('of another image is refused with 400', async () => {
    await using relay = await RelayUnderTest.start(pki);
    const headers = { Authorization: relay.credential('https://localhost:1', randomUUID()) };
    const answer = await relay.client({ headers }).request('GET', imagePath(randomUUID()));
    assert.equal(answer.status, 400);
    assert.equal(answer.text, 'Requested resource must match transfer ticket\n');
  });

  test('that is missing is refused with 401, one that is unknown with 403', async () => {
    await using relay = await RelayUnderTest.start(pki);
    const path = imagePath(randomUUID());
    assert.equal(await statusOf('GET', path, relay), 401);
    assert.equal(await statusOf('GET', path, relay, { 'Session-Id': randomUUID() }), 403);
    assert.equal(await statusOf('GET', path, relay, { Authorization: 'nonsense' }), 401);
  });

  test('that is deleted cuts what is relayed for it', async () => {
    await using daemon = await ScriptedDaemon.start(identity, neverEnds);
    await using relay = await RelayUnderTest.start(pki);
    const id = randomUUID();
    const socket = await relay.connect();
    await socket.sendHead(
      `GET ${imagePath(id)} HTTP/1.1`,
      'Host: localhost',
      `Authorization: ${relay.credential(daemon.origin, id)}`,
    );
    const head = (await socket.readUntil('half')).toString('latin1');
    await relay.sessions.delete(/session-id: (.*)\r\n/i.exec(head)?.[1] ?? '');
    assert.ok((await socket.readUntilClose()).toString('latin1').endsWith('half'));
    await cut(await daemon.request());
  });

  test('of a proxy that stops refuses an upload that is relayed for it', async () => {
    await using daemon = await ScriptedDaemon.start(identity, ({ request }) => request.resume());
    await using relay = await RelayUnderTest.start(pki);
    const id = randomUUID();
    const socket = await relay.connect();
    await socket.sendHead(
      `PUT ${imagePath(id)} HTTP/1.1`,
      'Host: localhost',
      'Content-Length: 100',
      `Authorization: ${relay.credential(daemon.origin, id)}`,
    );
    const seen = await daemon.request();
    await relay.sessions.close();
    await socket.readUntil(' 503 ');
    await cut(seen);
  });

  test('that expires cuts what is relayed for it', async () => {
    await using daemon = await ScriptedDaemon.start(identity, neverEnds);
    await using relay = await RelayUnderTest.start(pki);
    const id = randomUUID();
    const client = relay.client({ headers: { Authorization: relay.credential(daemon.origin, id, 2) } });
    await client.open('GET', imagePath(id));
    await cut(await daemon.request());
  });

  test('is not needed for a stored grant', async () => {
    await using daemon = await ScriptedDaemon.start(identity, tellsPath);
    await using relay = await RelayUnderTest.start(pki);
    const id = randomUUID();
    await relay.storeGrant(relay.credential(daemon.origin, id));
    const answer = await relay.client().request('GET', imagePath(id));
    assert.equal(answer.text, imagePath(id));
    assert.equal(answer.headers['session-id'], undefined);
  });
});

describe('a control ticket', () => {
  test('authorises by its id and leads to the image that its url names', async () => {
    await using daemon = await ScriptedDaemon.start(identity, tellsPath);
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin, {
      url: `${daemon.origin}/images/other%2Fid`,
      ops: ['read'],
    });
    assert.equal(
      (await relay.client().request('GET', `${imagePath(id)}/checksum`)).text,
      '/images/other%2Fid/checksum',
    );
  });

  test('that allows reading only refuses every way to write', async () => {
    await using daemon = await ScriptedDaemon.start(identity, tellsPath);
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin, { ops: ['read'] });
    for (const method of ['PUT', 'PATCH', 'POST'])
      assert.equal(await statusOf(method, imagePath(id), relay), 403);
    for (const method of ['GET', 'HEAD', 'OPTIONS'])
      assert.equal(await statusOf(method, imagePath(id), relay), 200);
    assert.equal(daemon.seen.length, 3);
  });

  test('that has expired is refused with 403', async () => {
    await using daemon = await ScriptedDaemon.start(identity);
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin, { timeoutSeconds: 0 });
    assert.equal(await statusOf('GET', imagePath(id), relay), 403);
    assert.equal(daemon.connectionCount, 0);
  });

  for (const [what, url] of [
    ['a file', 'file:///var/tmp/disk.raw'],
    ['a daemon without TLS', 'http://localhost:1/images/x'],
    ['no image', 'https://localhost:1/tickets/x'],
    ['a path with more than an id', 'https://localhost:1/images/x/../../tickets/y'],
    ['an address with a password', 'https://user:password@localhost:1/images/x'],
  ] as const) {
    test(`whose url names ${what} is refused with 500, and its url is not told`, async () => {
      await using relay = await RelayUnderTest.start(pki);
      const id = await relay.addTicket('', { url });
      const answer = await relay.client().request('GET', imagePath(id));
      assert.equal(answer.status, 500);
      assert.ok(!answer.text.includes(url));
    });
  }

  test('that is removed cuts what is relayed for it, and waits for that', async () => {
    await using daemon = await ScriptedDaemon.start(identity, neverEnds);
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    const socket = await relay.connect();
    await socket.sendHead(`GET ${imagePath(id)} HTTP/1.1`, 'Host: localhost');
    await socket.readUntil('half');
    await relay.tickets.remove(id);
    assert.ok((await socket.readUntilClose()).toString('latin1').endsWith('half'));
    await cut(await daemon.request());
    assert.equal(await statusOf('GET', imagePath(id), relay), 401);
  });
});

describe('the progress of a control ticket', () => {
  const transferred = async (relay: RelayUnderTest, id: string): Promise<number | undefined> =>
    (await relay.tickets.info(id)).transferredBytes;

  test('counts what was read, from where it was', async () => {
    await using daemon = await ScriptedDaemon.start(identity, ({ response }) => {
      response.writeHead(206, { 'Content-Range': 'bytes 100-199/1000' }).end(Buffer.alloc(100));
    });
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin, { ops: ['read'] });
    await relay.client().request('GET', imagePath(id), { headers: { Range: 'bytes=100-199' } });
    await relay.client().request('GET', imagePath(id), { headers: { Range: 'bytes=100-199' } });
    assert.equal(await transferred(relay, id), 100);
  });

  test('counts what was written, while it is written', async () => {
    await using daemon = await ScriptedDaemon.start(identity, ({ request, response }) => {
      request.once('end', () => response.end()).resume();
    });
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    const socket = await relay.connect();
    await socket.sendHead(
      `PUT ${imagePath(id)} HTTP/1.1`,
      'Host: localhost',
      'Content-Length: 20',
      'Content-Range: bytes 100-119/*',
    );
    await socket.send('ten bytes.');
    await eventually(
      async () => ((await transferred(relay, id)) === 10 ? true : undefined),
      'ten bytes count',
    );
    assert.equal((await relay.tickets.info(id)).active, true);
    await socket.send('ten bytes.');
    await socket.readUntil(' 200 ');
    assert.equal(await transferred(relay, id), 20);
    await eventually(async () => ((await relay.tickets.info(id)).active ? undefined : true), 'idle');
  });

  test('counts a zeroed range when the daemon has zeroed it, and no other', async () => {
    await using daemon = await ScriptedDaemon.start(identity, ({ request, response }) => {
      const status = daemon.seen.length === 1 ? 500 : 200;
      request.once('end', () => response.writeHead(status).end()).resume();
    });
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    const body = JSON.stringify({ op: 'zero', offset: 4096, size: 8192 });
    await relay.client().request('PATCH', imagePath(id), { body });
    assert.equal(await transferred(relay, id), 0);
    await relay.client().request('PATCH', imagePath(id), { body });
    await relay.client().request('PATCH', imagePath(id), { body: '{"op":"flush"}' });
    assert.equal(await transferred(relay, id), 8192);
  });

  test('does not count what is no image data', async () => {
    await using daemon = await ScriptedDaemon.start(identity, ({ response }) => response.end('[]'));
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin, { ops: ['read'] });
    await relay.client().request('GET', `${imagePath(id)}/extents`);
    assert.equal(await transferred(relay, id), 0);
  });
});

describe('a path', () => {
  test('without an id is refused with 400', async () => {
    await using relay = await RelayUnderTest.start(pki);
    for (const path of ['/images/', '/images//extents']) {
      for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'POST']) {
        assert.equal(await statusOf(method, path, relay), 400);
      }
    }
  });

  test('with a method that images do not have is refused with 405', async () => {
    await using relay = await RelayUnderTest.start(pki);
    assert.equal(await statusOf('DELETE', '/images/x', relay), 405);
  });
});

describe('the log', () => {
  test('names the transfer and the daemon, and neither ids nor credentials', async () => {
    await using daemon = await ScriptedDaemon.start(identity, tellsPath);
    await using relay = await RelayUnderTest.start(pki);
    const id = randomUUID();
    const client = relay.client({ headers: { Authorization: relay.credential(daemon.origin, id) } });
    const { headers } = await client.request('GET', imagePath(id));
    await eventually(() => (relay.logLines.length > 0 ? true : undefined), 'the request is logged');
    const log = relay.logLines.join('');
    assert.match(log, /"transfer_id":"transfer-1"/);
    assert.ok(log.includes(`"daemon":"localhost:${daemon.port}"`));
    assert.ok(!log.includes(id));
    assert.ok(!log.includes(String(headers['session-id'])));
  });
});
