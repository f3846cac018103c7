import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { imagePath } from '../support/client.js';
import { certificates } from './relay-certificates.js';
import { RelayUnderTest, type RelayUnderTestOptions } from './relay-under-test.js';
import { cut, ScriptedDaemon, type Script } from './scripted-daemon.js';

const { pki, daemon: identity } = await certificates();

const readTimeoutSeconds = 0.5;
/** Much longer than a daemon may be silent, much shorter than work may take. */
const workMs = 2000;

const processing = 'HTTP/1.1 102 Processing\r\n\r\n';

/** Takes the whole request, works, and answers. */
function works(signEachMs?: number, sign = processing): Script {
  return ({ request, response }) => {
    const signs = setInterval(() => request.socket.write(sign), signEachMs ?? workMs * 10);
    void buffer(request)
      .then(() => delay(workMs))
      // A list of extents has to be one; elsewhere any body does.
      .then(() => response.end('[]'))
      .finally(() => {
        clearInterval(signs);
      });
  };
}

const longRequests = [
  ['PUT', '', 'data'],
  ['PUT', '', 'x'.repeat(1 << 20)],
  ['PATCH', '', '{"op":"zero","size":4096}'],
  ['PATCH', '', '{"op":"flush"}'],
  ['GET', '/extents'],
  ['GET', '/checksum'],
] as const;

/** Answered by 200 early, so that a failure can only cut the answer. */
const earlyRequests = longRequests.filter(([method]) => method === 'GET');

const otherRequests = [
  ['GET', ''],
  ['HEAD', ''],
  ['OPTIONS', ''],
] as const;

async function answer(
  script: Script,
  [method, rest, body]: readonly [string, string, string?],
  options: RelayUnderTestOptions = {},
  headers: readonly string[] = [],
): Promise<string> {
  await using daemon = await ScriptedDaemon.start(identity, script);
  await using relay = await RelayUnderTest.start(pki, { readTimeoutSeconds, ...options });
  const socket = await relay.connect();
  await socket.sendHead(
    `${method} ${imagePath(await relay.addTicket(daemon.origin))}${rest} HTTP/1.1`,
    'Host: localhost',
    'Connection: close',
    ...headers,
    ...(body === undefined ? [] : [`Content-Length: ${body.length}`]),
  );
  if (body !== undefined) await socket.send(body);
  return (await socket.readUntilClose()).toString('latin1');
}

describe('work that only a daemon can end', { concurrency: true }, () => {
  for (const request of longRequests) {
    const [method, rest, body = ''] = request;
    const name = `${method} ${rest} ${body.slice(0, 12)}`;

    test(`may take longer than a daemon may be silent: ${name}`, async () => {
      assert.match(await answer(works(), request), /^HTTP\/1\.1 200 OK\r\n/);
    });

    test(`may not take for ever, unless the daemon gives signs of life: ${name}`, async () => {
      const limited = { operationTimeoutSeconds: 0.6 };
      assert.match(await answer(works(), request, limited), /^HTTP\/1\.1 504 Gateway Timeout\r\n/);
      assert.match(await answer(works(100), request, limited), /^HTTP\/1\.1 200 OK\r\n/);
    });
  }
});

describe('a daemon that gives signs of life', { concurrency: true }, () => {
  for (const request of otherRequests) {
    const name = request.join(' ');

    test(`is waited for, and the client sees none of them: ${name}`, async () => {
      const received = await answer(works(100), request);
      assert.match(received, /^HTTP\/1\.1 200 OK\r\n/);
      assert.doesNotMatch(received, / 102 /);
    });

    test(`is given up when they end: ${name}`, async () => {
      const script: Script = ({ request: { socket } }) => socket.write(processing);
      assert.match(await answer(script, request), /^HTTP\/1\.1 504 /);
    });
  }

  for (const sign of [100, 103, 199]) {
    test(`does not give one by ${sign}`, async () => {
      const script = works(100, `HTTP/1.1 ${sign} Wait\r\n\r\n`);
      assert.match(await answer(script, ['GET', '']), /^HTTP\/1\.1 504 /);
    });
  }

  test('without end and at once is not waited for', async () => {
    const script: Script = ({ request: { socket } }) => {
      const flood = (): void => {
        if (!socket.destroyed) socket.write(processing.repeat(100), () => setImmediate(flood));
      };
      flood();
    };
    assert.match(await answer(script, ['GET', ''], { readTimeoutSeconds: 60 }), /^HTTP\/1\.1 502 /);
  });

  test('is asked for them by the proxy, whatever the client says', async () => {
    for (const [limitSeconds, interval] of [
      [30, '10'],
      [0.5, '1'],
      [100, '33'],
    ] as const) {
      await using daemon = await ScriptedDaemon.start(identity);
      await using relay = await RelayUnderTest.start(pki, { readTimeoutSeconds: limitSeconds });
      const path = imagePath(await relay.addTicket(daemon.origin));
      for (const headers of [{}, { 'Processing-Interval': '77' }]) {
        await relay.client().request('GET', path, { headers });
      }
      const seen = daemon.seen.map(({ request }) => request.headers['processing-interval']);
      assert.deepEqual(seen, [interval, interval]);
    }
  });

  test('before it says 100 is waited for, and the client hears of 100 alone', async () => {
    await using daemon = await ScriptedDaemon.start(identity);
    daemon.expectation = ({ request, response }) => {
      const signs = setInterval(() => request.socket.write(processing), 100);
      void delay(workMs).then(() => {
        clearInterval(signs);
        response.writeContinue();
        request.on('end', () => response.end()).resume();
      });
    };
    await using relay = await RelayUnderTest.start(pki, { readTimeoutSeconds });
    const socket = await relay.connect();
    await socket.sendHead(
      `PUT ${imagePath(await relay.addTicket(daemon.origin))} HTTP/1.1`,
      'Host: localhost',
      'Expect: 100-continue',
      'Content-Length: 4',
    );
    await socket.readUntil('HTTP/1.1 100 Continue\r\n\r\n');
    await socket.send('data');
    const received = (await socket.readUntil(' 200 OK\r\n')).toString('latin1');
    assert.doesNotMatch(received, / 102 /);
  });

  test('while it takes no more of an upload is waited for', async () => {
    const script: Script = ({ request, response }) => {
      request.pause();
      const signs = setInterval(() => request.socket.write(processing), 100);
      void delay(workMs).then(() => {
        clearInterval(signs);
        request.on('end', () => response.end()).resume();
      });
    };
    assert.match(await answer(script, ['PUT', '', 'x'.repeat(32 << 20)]), /^HTTP\/1\.1 200 OK\r\n/);
  });

  test('is asked once only when its connection breaks afterwards', async () => {
    await using daemon = await ScriptedDaemon.start(identity);
    await using relay = await RelayUnderTest.start(pki);
    const client = relay.client();
    const path = imagePath(await relay.addTicket(daemon.origin));
    assert.equal((await client.request('GET', path)).status, 200);
    daemon.script = ({ request: { socket } }) => {
      socket.write(processing, () => socket.destroy());
    };
    assert.equal((await client.request('GET', path)).status, 502);
    assert.equal(daemon.seen.length, 2);
  });

  test('is waited for through another that relays for it and gives them meanwhile', async () => {
    const silentMs = 5000;
    await using daemon = await ScriptedDaemon.start(identity, ({ response }) => {
      void delay(silentMs).then(() => response.end('{}'));
    });
    await using relay = await RelayUnderTest.start(pki);
    // Much less than the work takes, much more than the second between two signs.
    await using proxy = await RelayUnderTest.start(pki, {
      readTimeoutSeconds: 3,
      operationTimeoutSeconds: 3,
    });
    const url = `${relay.origin}${imagePath(await relay.addTicket(daemon.origin))}`;
    const path = imagePath(await proxy.addTicket(relay.origin, { url }));
    assert.equal((await proxy.client().request('GET', `${path}/checksum`)).status, 200);
  });

  test('hears at once that its client has gone', async () => {
    await using daemon = await ScriptedDaemon.start(identity, works(100));
    await using relay = await RelayUnderTest.start(pki, { readTimeoutSeconds, plainText: true });
    const socket = await relay.connect();
    const path = imagePath(await relay.addTicket(daemon.origin));
    await socket.sendHead(`GET ${path}/checksum HTTP/1.1`, 'Host: localhost');
    const seen = await daemon.request();
    socket.reset();
    await cut(seen);
    assert.equal(seen.response.writableEnded, false, 'the work was not waited for');
  });
});

test('a client that asks the proxy for signs of life gets them while the daemon works', async () => {
  await using daemon = await ScriptedDaemon.start(identity, works());
  await using relay = await RelayUnderTest.start(pki);
  const socket = await relay.connect();
  const path = imagePath(await relay.addTicket(daemon.origin));
  await socket.sendHead(
    `PATCH ${path} HTTP/1.1`,
    ...['Host: localhost', 'Processing-Interval: 1', 'Content-Length: 14'],
  );
  await socket.send('{"op":"flush"}');
  const received = (await socket.readUntil(' 200 OK\r\n')).toString('latin1');
  assert.match(received, /^HTTP\/1\.1 102 Processing\r\n/);
});

test('an unused connection is not mistaken for one that is worked on', async () => {
  await using daemon = await ScriptedDaemon.start(identity, works());
  // Connections that nobody uses are closed much sooner than the work ends.
  await using relay = await RelayUnderTest.start(pki, { idleSeconds: 0.2 });
  const path = imagePath(await relay.addTicket(daemon.origin));
  assert.equal((await relay.client().request('GET', path)).status, 200);
});

describe('a daemon that shows nothing while it works', { concurrency: true }, () => {
  for (const request of earlyRequests) {
    const name = request.slice(0, 2).join(' ');

    test(`is told of by a head and white space meanwhile: ${name}`, async () => {
      const received = await answer(works(), request);
      assert.match(received, /\r\n\r\n1\r\n \r\n(?:1\r\n \r\n)*2\r\n\[\]\r\n0\r\n\r\n$/);
      assert.doesNotMatch(received, /Content-Length/i);
    });

    test(`cuts the answer when it refuses after that: ${name}`, async () => {
      const script: Script = ({ response }) => {
        void delay(workMs).then(() => response.writeHead(404).end('Not found\n'));
      };
      const received = await answer(script, request);
      assert.match(received, /^HTTP\/1\.1 200 OK\r\n/);
      assert.doesNotMatch(received, /Not found|0\r\n\r\n$/);
    });

    test(`keeps its status when it is soon: ${name}`, async () => {
      const script: Script = ({ response }) => response.writeHead(404).end('Not found\n');
      assert.match(await answer(script, request), /^HTTP\/1\.1 404 /);
    });
  }

  for (const [request, headers] of [
    [['HEAD', '/extents']],
    [['GET', '/extents?limit=10']],
    [['GET', '/checksum?expect=00']],
    [['GET', '/checksum'], ['Prefer: respond-async']],
    [['GET', '/extents'], ['Accept: application/x-ndjson']],
  ] as const) {
    test(`is waited for with its status: ${request.join(' ')} ${headers?.join() ?? ''}`, async () => {
      const script: Script = ({ response }) => {
        void delay(workMs).then(() => response.writeHead(409).end());
      };
      assert.match(await answer(script, request, {}, headers), /^HTTP\/1\.1 409 /);
    });
  }

  test('may be silent in the middle of its list', async () => {
    const script: Script = ({ response }) => {
      response.write('[');
      void delay(workMs).then(() => response.end(']'));
    };
    assert.match(await answer(script, ['GET', '/extents']), /\r\n0\r\n\r\n$/);
  });
});
