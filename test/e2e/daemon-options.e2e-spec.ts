import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { extensions } from '../../src/contract/extensions.js';
import { ImagesClient, type ImageCapabilities } from '../support/client.js';
import { DaemonUnderTest } from './daemon-under-test.js';
import { parseAnswer, requestBytes } from './raw-answers.js';

describe('OPTIONS', () => {
  let fixture: DaemonUnderTest;
  let client: ImagesClient;
  before(async () => {
    fixture = await DaemonUnderTest.start({ daemon: { max_connections: 4 } });
    client = fixture.client();
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  test('tells what a write ticket allows, as an integer number of connections', async () => {
    const { path } = await fixture.addImage(4096, { ops: ['write'] });
    const answer = await client.request('OPTIONS', path);
    assert.deepEqual([answer.status, answer.headers.allow], [200, 'OPTIONS,GET,PUT,PATCH']);
    assert.match(answer.headers['content-type'] ?? '', /^application\/json/);
    const { unix_socket: socket, ...rest } = JSON.parse(answer.text) as ImageCapabilities;
    assert.match(socket ?? '', /^\0/);
    assert.deepEqual(
      { ...rest, features: [...rest.features].sort() },
      { features: ['checksum', 'extents', 'flush', 'zero'], extensions, max_readers: 4, max_writers: 1 },
    );
  });

  test('tells what a read ticket allows', async () => {
    const { path } = await fixture.addImage(4096, { ops: ['read'] });
    const answer = await client.request('OPTIONS', path);
    assert.equal(answer.headers.allow, 'OPTIONS,GET');
    assert.deepEqual((JSON.parse(answer.text) as ImageCapabilities).features, ['checksum', 'extents']);
  });

  test('of * tells what the service can do, without ticket and without limits', async () => {
    const answer = await client.request('OPTIONS', '/images/*');
    assert.deepEqual([answer.status, answer.headers.allow], [200, 'OPTIONS,GET,PUT,PATCH']);
    const capabilities = JSON.parse(answer.text) as ImageCapabilities;
    assert.deepEqual(Object.keys(capabilities).sort(), ['extensions', 'features', 'unix_socket']);
    assert.deepEqual([...capabilities.features].sort(), ['checksum', 'extents', 'flush', 'zero']);
    assert.deepEqual(capabilities.extensions, extensions);
  });

  test('names a unix socket through which the same image is reached', async () => {
    const image = Buffer.from('local and remote are one');
    const { id } = await fixture.addImage(image, { ops: ['read'] });
    const { unix_socket: path = '' } = await client.capabilities(id);
    assert.match(path, /^\0/);
    const local = new ImagesClient({ kind: 'unix', path });
    try {
      const bytes = await local.read(id, { offsetBytes: 0, lengthBytes: image.length });
      assert.ok(bytes.equals(image));
      assert.equal((await local.capabilities(id)).unix_socket, path);
    } finally {
      local.close();
    }
  });

  test('is activity: it renews the expiry', async () => {
    const ticket = await fixture.addImage(4096, { timeout: 1000 });
    await fixture.vdsm.extendTicket(ticket.id, 5);
    const { expires } = await fixture.vdsm.getTicket(ticket.id);
    await client.request('OPTIONS', ticket.path);
    assert.ok((await fixture.vdsm.getTicket(ticket.id)).expires >= expires + 990);
  });

  test('with a body is answered, and the body never taken for a request', async () => {
    const ticket = await fixture.addImage(4096);
    const smuggled = requestBytes('GET', '/info/');
    const answer = parseAnswer(
      await fixture.exchangeBytes(
        requestBytes(
          'OPTIONS',
          ticket.path,
          [`Content-Length: ${smuggled.length}`, 'Connection: close'],
          smuggled,
        ),
      ),
    );
    assert.equal(answer.status, 200);
  });
});

describe('OPTIONS of a daemon without the local service', () => {
  test('names no unix socket', async () => {
    await using fixture = await DaemonUnderTest.start({ local: { enable: false } });
    const { id } = await fixture.addImage(4096);
    const client = fixture.client();
    assert.equal((await client.capabilities(id)).unix_socket, undefined);
    assert.equal((await client.capabilities('*')).unix_socket, undefined);
  });
});

describe('GET /info/', () => {
  test('tells the version', async () => {
    await using fixture = await DaemonUnderTest.start();
    for (const path of ['/info/', '/info']) {
      const answer = await fixture.client().request('GET', path);
      assert.equal(answer.status, 200);
      assert.match((JSON.parse(answer.text) as { version: string }).version, /^\d+\.\d+\.\d+/);
    }
  });
});
