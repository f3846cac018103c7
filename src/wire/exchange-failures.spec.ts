import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { aborted, ListenerUnderTest } from '../../test/support/listener-under-test.js';
import { ClientGoneError, ConflictError, InvalidRequestError, StorageError } from '../base/errors.js';

const get = ['GET / HTTP/1.1', 'Host: localhost'];

describe('an exchange that fails', () => {
  test('before its answer has begun tells what the error means', async () => {
    await using service = await ListenerUnderTest.open(() => {
      throw new ConflictError('There is one already');
    });
    const client = await service.connect();
    await client.sendHead(...get);
    const answer = (await client.readUntil('There is one already')).toString('latin1');
    assert.match(answer, /^HTTP\/1\.1 409 /);
    assert.doesNotMatch(answer, /Connection: close/);
  });

  test('after its answer has begun cuts it, and adds no word', async () => {
    await using service = await ListenerUnderTest.open((exchange) => {
      exchange.response.writeHead(200, { 'Content-Length': 10 });
      exchange.response.write('01234');
      throw new StorageError('The disk is away');
    });
    const client = await service.connect();
    await client.sendHead(...get);
    const answer = (await client.readUntilClose()).toString('latin1');
    assert.doesNotMatch(answer, /disk|HTTP\/1\.1 500/);
    assert.equal((await service.exchange()).connection.closed, true);
  });

  test('with an error of no class of ours is answered 500, without what that says', async () => {
    await using service = await ListenerUnderTest.open(() => {
      throw new TypeError('secret is undefined');
    });
    const client = await service.connect();
    await client.sendHead(...get, 'Connection: close');
    const answer = (await client.readUntilClose()).toString('latin1');
    assert.match(answer, /^HTTP\/1\.1 500 /);
    assert.doesNotMatch(answer, /secret/);
  });

  test('when its client has gone is answered by nobody', async () => {
    await using service = await ListenerUnderTest.open(async (exchange) => {
      throw await aborted(exchange);
    });
    const client = await service.connect();
    await client.sendHead(...get);
    const { response } = await service.exchange();
    client.reset();
    assert.ok((await service.ended()) instanceof ClientGoneError);
    assert.equal(response.headersSent, false);
  });
});

describe('a client that ends its side', () => {
  const cases = [
    ['after a whole request breaks nothing', get, '', false],
    ['in mid-body breaks the body', ['PUT / HTTP/1.1', 'Host: localhost', 'Content-Length: 5'], '123', true],
    [
      'between two chunks breaks the body',
      ['PUT / HTTP/1.1', 'Host: localhost', 'Transfer-Encoding: chunked'],
      '3\r\nabc\r\n',
      true,
    ],
  ] as const;
  for (const [what, head, body, breaks] of cases) {
    test(what, async () => {
      await using service = await ListenerUnderTest.open(async (exchange) => {
        exchange.request.resume();
        if (breaks) await new Promise((resolve) => exchange.request.once('body-broken', resolve));
        else await new Promise((resolve) => exchange.request.once('end', resolve));
        assert.equal(exchange.signal.aborted, false, 'it still reads');
        if (exchange.bodyBroken !== undefined) throw exchange.bodyBroken;
        exchange.send(200);
      });
      const client = await service.connect();
      await client.sendHead(...head);
      if (body !== '') await client.send(body);
      client.halfClose();
      const answer = (await client.readUntilClose()).toString('latin1');
      assert.match(answer, breaks ? /^HTTP\/1\.1 400 [^]*shorter than promised/ : /^HTTP\/1\.1 200 /);
      const failure = await service.ended();
      assert.equal(failure instanceof InvalidRequestError, breaks);
    });
  }
});
