import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { extensions } from '../../src/contract/extensions.js';
import { imagePath } from '../support/client.js';
import { certificates } from './relay-certificates.js';
import { RelayUnderTest } from './relay-under-test.js';
import { ScriptedDaemon, type Script } from './scripted-daemon.js';

const { pki, daemon: identity } = await certificates();

/** The headers that a daemon sees of a request with `lines`. */
async function seenBehind(lines: readonly string[], path = ''): Promise<[Record<string, unknown>, string]> {
  await using daemon = await ScriptedDaemon.start(identity);
  await using relay = await RelayUnderTest.start(pki);
  const id = await relay.addTicket(daemon.origin);
  const socket = await relay.connect();
  await socket.sendHead(`GET ${imagePath(id)}${path} HTTP/1.1`, 'Host: proxy.example.com', ...lines);
  await socket.readUntil(' 200 ');
  const { request } = await daemon.request();
  assert.equal(request.headers.host, `localhost:${daemon.port}`);
  return [request.headers, (request.url ?? '').replace(imagePath(id), '')];
}

/** The head of the answer that a client gets when the daemon's has `headers`. */
async function headBehind(script: Script, requestLines: readonly string[] = []): Promise<string> {
  await using daemon = await ScriptedDaemon.start(identity, script);
  await using relay = await RelayUnderTest.start(pki);
  const id = await relay.addTicket(daemon.origin);
  const socket = await relay.connect();
  await socket.sendHead(`GET ${imagePath(id)} HTTP/1.1`, 'Host: localhost', ...requestLines);
  return (await socket.readUntil('\r\n\r\n')).toString('latin1');
}

describe('the daemon', () => {
  test('gets the end-to-end headers of the client', async () => {
    const [headers] = await seenBehind(['Range: bytes=1-2', 'X-Custom: a', 'X-Custom: b', 'Accept: */*']);
    assert.equal(headers['range'], 'bytes=1-2');
    assert.equal(headers['x-custom'], 'a, b');
    assert.equal(headers['accept'], '*/*');
  });

  test('gets headers whatever they are called', async () => {
    const [headers] = await seenBehind([
      'Constructor: a',
      'toString: b',
      '__proto__: c',
      '__proto__: d',
      'Range: bytes=1-2',
    ]);
    assert.equal(headers['range'], 'bytes=1-2');
    assert.equal(headers['constructor'], 'a');
    assert.equal(headers['tostring'], 'b');
  });

  test('gets neither hop-by-hop headers nor those that Connection names', async () => {
    const [headers] = await seenBehind([
      'Connection: keep-alive, X-Private',
      'X-Private: 1',
      'Keep-Alive: timeout=5',
      'Proxy-Authorization: Basic eA==',
      'Proxy-Connection: keep-alive',
      'TE: trailers',
      'Upgrade: h2c',
    ]);
    const names = Object.keys(headers).sort();
    assert.deepEqual(names, ['connection', 'host', 'processing-interval', 'x-request-id']);
    assert.equal(headers['connection'], 'keep-alive');
  });

  test('gets the headers for range, coding and answer, even where Connection names them', async () => {
    const said = {
      accept: 'application/json',
      'cache-control': 'no-cache',
      'content-digest': 'sha-256=:AAAA:',
      'content-encoding': 'gzip',
      'content-range': 'bytes 8-15/*',
      'content-type': 'multipart/form-data',
      'if-match': '"a"',
      'if-none-match': '"a"',
      'if-range': '"a"',
      'if-unmodified-since': 'Thu, 01 Jan 2026 00:00:00 GMT',
      origin: 'https://engine.example.com',
      prefer: 'respond-async',
      range: 'bytes=1-2',
      'upload-parallel': '?1',
      'want-content-digest': 'sha-256=1',
    };
    const lines = Object.entries(said).map(([name, value]) => `${name}: ${value}`);
    const [headers] = await seenBehind([`Connection: ${Object.keys(said).join(', ')}`, ...lines]);
    for (const [name, value] of Object.entries(said)) assert.equal(headers[name], value, name);
  });

  test('is not asked to compress what it sends', async () => {
    const [headers] = await seenBehind(['Accept-Encoding: gzip']);
    assert.equal(headers['accept-encoding'], undefined);
  });

  test('gets no credentials of the client', async () => {
    const [headers] = await seenBehind(['Session-Id: secret', 'Cookie: a=secret']);
    assert.ok(!JSON.stringify(headers).includes('secret'));
  });

  test('gets the id of the request, or one of the proxy where the client sent no valid one', async () => {
    const [named] = await seenBehind(['X-Request-Id: job-1.a_B']);
    assert.equal(named['x-request-id'], 'job-1.a_B');
    for (const line of [
      'X-Request-Id: a b',
      `X-Request-Id: ${'x'.repeat(65)}`,
      'X-Request-Id:',
      'X-Other: 1',
    ]) {
      const [headers] = await seenBehind([line]);
      assert.match(String(headers['x-request-id']), /^[0-9a-f-]{36}$/, line);
    }
  });

  test('gets the query as it was, without the session', async () => {
    const [, url] = await seenBehind([], '?a=%2F&session_id=s1&b&session%5Fid=s2&c=//x?y');
    assert.equal(url, '?a=%2F&b&c=//x?y');
  });

  test('gets no query when the session was all of it', async () => {
    const [, url] = await seenBehind([], '?session_id=s1');
    assert.equal(url, '');
  });
});

describe('the client', () => {
  test('gets status and headers of the images API as the daemon wrote them', async () => {
    const head = await headBehind(({ response }) => {
      response.writeHead(206, {
        Connection: 'keep-alive, Content-Range, Content-Disposition, Content-Length',
        'Content-Range': 'bytes 0-3/8',
        'Content-Disposition': 'attachment; filename="ä.raw"',
        'Content-Length': 4,
        'Content-Type': 'application/octet-stream',
        'Accept-Ranges': 'bytes',
        Allow: 'GET',
        Date: 'Thu, 01 Jan 2026 00:00:00 GMT',
        'Retry-After': '5',
      });
      response.end(Buffer.from('data'));
    });
    assert.match(head, /^HTTP\/1\.1 206 Partial Content\r\n/);
    assert.match(head, /\r\nContent-Range: bytes 0-3\/8\r\n/);
    assert.match(head, /\r\nContent-Length: 4\r\n/);
    assert.match(head, /\r\nContent-Type: application\/octet-stream\r\n/);
    assert.match(head, /\r\nContent-Disposition: attachment; filename="ä.raw"\r\n/);
    assert.match(head, /\r\nAccept-Ranges: bytes\r\n/);
    assert.match(head, /\r\nAllow: GET\r\n/);
    assert.match(head, /\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n/);
    assert.match(head, /\r\nRetry-After: 5\r\n/);
  });

  test('gets none of the headers of a daemon that would act in the origin of the proxy', async () => {
    const acting = {
      'Access-Control-Allow-Credentials': 'true',
      'Alt-Svc': 'h3=":443"',
      'Clear-Site-Data': '"*"',
      'Content-Location': '/sessions/',
      'Content-Security-Policy': "default-src 'unsafe-inline'",
      'Content-Security-Policy-Report-Only': 'report-uri https://elsewhere.example.com',
      Link: '</x.js>; rel=preload; as=script',
      Location: 'https://elsewhere.example.com/',
      NEL: '{"report_to":"x"}',
      Refresh: '0; url=https://elsewhere.example.com/',
      'Report-To': '{}',
      'Service-Worker-Allowed': '/',
      'Session-Id': 'of the daemon',
      'Set-Cookie': 'session_id=of the daemon',
      SourceMap: '/x.map',
      'Strict-Transport-Security': 'max-age=0',
      Trailer: 'Set-Cookie',
      Upgrade: 'h2c',
      'WWW-Authenticate': 'Basic realm="proxy"',
      'Proxy-Authenticate': 'Basic realm="proxy"',
      'X-Content-Type-Options': 'none',
      'X-Frame-Options': 'ALLOWALL',
      'X-Whatever': 'hidden',
    };
    for (const status of [200, 401, 500]) {
      const head = await headBehind(({ response }) => {
        response.writeHead(status, { 'Content-Type': 'text/html', ...acting }).end('<script></script>');
      });
      for (const [name, value] of Object.entries(acting)) {
        assert.ok(!head.includes(`${name}: ${value}`), `${status} ${name}`);
      }
      assert.match(head, /\r\nContent-Type: application\/octet-stream\r\n/);
      assert.match(head, /\r\nX-Content-Type-Options: nosniff\r\n/);
      assert.match(head, /\r\nContent-Security-Policy: sandbox\r\n/);
    }
  });

  test('gets the id of its request once, whatever the daemon says', async () => {
    const head = await headBehind(
      ({ response }) => {
        response.writeHead(200, { 'X-Request-Id': 'another' }).end();
      },
      ['X-Request-Id: mine'],
    );
    assert.deepEqual(head.match(/x-request-id: .*/gi), ['X-Request-Id: mine']);
  });

  test('gets the proxy’s Cache-Control only', async () => {
    const head = await headBehind(({ response }) => {
      response.writeHead(200, { 'Cache-Control': 'public, max-age=600' }).end();
    });
    assert.deepEqual(head.match(/cache-control: .*/gi), ['Cache-Control: no-cache, no-store']);
  });

  test('gets the proxy’s CORS headers once, and not the daemon’s', async () => {
    const script: Script = ({ response }) => {
      response.writeHead(200, {
        'Access-Control-Allow-Origin': 'https://daemon.example.com',
        'Access-Control-Expose-Headers': 'X-Daemon',
      });
      response.end();
    };
    const head = await headBehind(script, ['Origin: https://engine.example.com']);
    assert.deepEqual(head.match(/access-control-allow-origin: .*/gi), ['Access-Control-Allow-Origin: *']);
    assert.doesNotMatch(head, /X-Daemon/);
    assert.doesNotMatch(await headBehind(script), /access-control/i);
  });
});

describe('OPTIONS', () => {
  const capabilities = { unix_socket: '\0/org/ovirt/imageio', features: ['extents'], max_readers: 8 };
  const tells: Script = ({ response }) => {
    const body = JSON.stringify(capabilities);
    response.writeHead(200, { 'Content-Length': body.length, Allow: 'OPTIONS,GET' }).end(body);
  };

  test('tells what the daemon told, without the socket of its host', async () => {
    await using daemon = await ScriptedDaemon.start(identity, tells);
    await using relay = await RelayUnderTest.start(pki);
    const answer = await relay.client().request('OPTIONS', imagePath(await relay.addTicket(daemon.origin)));
    assert.deepEqual(JSON.parse(answer.text), { features: ['extents'], max_readers: 8 });
    assert.equal(answer.headers['content-length'], String(answer.body.length));
    assert.equal(answer.headers.allow, 'OPTIONS,GET');
  });

  test('tells of the extensions of the daemon those that are relayed', async () => {
    const newer: Script = ({ response }) => {
      response.end(JSON.stringify({ features: [], extensions: ['of tomorrow', ...extensions] }));
    };
    await using daemon = await ScriptedDaemon.start(identity, newer);
    await using relay = await RelayUnderTest.start(pki);
    const answer = await relay.client().request('OPTIONS', imagePath(await relay.addTicket(daemon.origin)));
    assert.deepEqual(JSON.parse(answer.text), { features: [], extensions });
  });

  test('of something else than an image is relayed as it is', async () => {
    await using daemon = await ScriptedDaemon.start(identity, tells);
    await using relay = await RelayUnderTest.start(pki);
    const path = `${imagePath(await relay.addTicket(daemon.origin))}/extents`;
    assert.deepEqual(JSON.parse((await relay.client().request('OPTIONS', path)).text), capabilities);
  });

  test('that is answered with a text or an error is relayed as it is', async () => {
    await using daemon = await ScriptedDaemon.start(identity, ({ response }) => {
      response.writeHead(403, { 'Content-Type': 'text/plain' }).end('You are not allowed\n');
    });
    await using relay = await RelayUnderTest.start(pki);
    const answer = await relay.client().request('OPTIONS', imagePath(await relay.addTicket(daemon.origin)));
    assert.equal(answer.status, 403);
    assert.equal(answer.text, 'You are not allowed\n');
  });

  test('that is answered with more than there can be is answered with 502', async () => {
    await using daemon = await ScriptedDaemon.start(identity, ({ response }) =>
      response.end(Buffer.alloc(1 << 20)),
    );
    await using relay = await RelayUnderTest.start(pki);
    const answer = await relay.client().request('OPTIONS', imagePath(await relay.addTicket(daemon.origin)));
    assert.equal(answer.status, 502);
  });

  test('that breaks off is answered with 502', async () => {
    await using daemon = await ScriptedDaemon.start(identity, ({ request, response }) => {
      response.writeHead(200, { 'Content-Length': 100 });
      response.write('{', () => request.socket.destroy());
    });
    await using relay = await RelayUnderTest.start(pki);
    const answer = await relay.client().request('OPTIONS', imagePath(await relay.addTicket(daemon.origin)));
    assert.equal(answer.status, 502);
  });

  test('whose answer stops before its end is answered with 502', async () => {
    await using daemon = await ScriptedDaemon.start(identity, ({ response }) => {
      response.writeHead(200, { 'Content-Length': 100 }).write('{');
    });
    await using relay = await RelayUnderTest.start(pki, { readTimeoutSeconds: 0.2 });
    const answer = await relay.client().request('OPTIONS', imagePath(await relay.addTicket(daemon.origin)));
    assert.equal(answer.status, 502);
  });

  test('as a CORS preflight is answered by the proxy, without a credential', async () => {
    await using relay = await RelayUnderTest.start(pki);
    const answer = await relay.client().request('OPTIONS', '/images/unknown?close=y', {
      headers: {
        Origin: 'https://engine.example.com',
        'Access-Control-Request-Method': 'PUT',
        'Access-Control-Request-Headers': 'authorization,content-range',
      },
    });
    assert.equal(answer.status, 200);
    assert.match(answer.headers['access-control-allow-methods'] ?? '', /PUT/);
    assert.match(answer.headers['access-control-allow-headers'] ?? '', /Authorization/);
  });

  test('of the service and of the collection need no credential', async () => {
    await using relay = await RelayUnderTest.start(pki);
    const service = await relay.client().request('OPTIONS', '/images/*');
    assert.deepEqual(JSON.parse(service.text), {
      features: ['checksum', 'extents', 'flush', 'zero'],
      extensions,
    });
    assert.equal((await relay.client().request('OPTIONS', '/images/')).status, 204);
  });
});
