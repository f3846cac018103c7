import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, describe, test } from 'node:test';
import type { ImagesClient } from '../support/client.js';
import { parseAnswer } from './raw-answers.js';
import { describeWire } from './wire-under-test.js';

const sizeBytes = 20_000;

describeWire('uploads', {}, (wire) => {
  let client: ImagesClient;
  before(() => {
    client = wire.client();
  });

  const accepted: readonly (readonly [string | undefined, number])[] = [
    [undefined, 0],
    ['bytes 0-3/*', 0],
    ['bytes 0-3/20000', 0],
    ['bytes 513-516/*', 513],
    ['bytes 513-*/*', 513],
    ['bytes 513-*/20000', 513],
    // Old clients name a last byte or a total that does not agree with the body.
    ['bytes 4096-9999/10000', 4096],
    ['bytes 4096-4096/4097', 4096],
    ['bytes 19996-19999/20000', 19_996],
    ['bytes 7-9007199254740993/*', 7],
    ['bytes 7-18446744073709551615/18446744073709551616', 7],
  ];
  for (const [contentRange, offset] of accepted) {
    test(`go to the start that Content-Range ${contentRange ?? '(none)'} names`, async () => {
      const before = randomBytes(sizeBytes);
      const ticket = await wire.addImage(before);
      const answer = await client.request('PUT', ticket.path, {
        headers: contentRange === undefined ? {} : { 'Content-Range': contentRange },
        body: 'DATA',
      });
      assert.deepEqual([answer.status, answer.headers['content-length'], answer.text], [200, '0', '']);
      assert.equal(answer.headers.range, undefined);
      before.write('DATA', offset);
      assert.ok((await wire.contentOf(ticket)).equals(before));
      assert.equal((await wire.vdsm.getTicket(ticket.id)).transferred, 4);
    });
  }

  const malformed = [
    '',
    'bytes',
    'bytes 7-13',
    '7-13/20',
    'bytes 13-7/20',
    'bytes 0-20/20',
    'bytes 20-*/20',
    'bytes 5-4/*',
    'bytes */20',
    'bytes */*',
    'bytes=0-3/20',
    'bytes -3/20',
    'bytes a-b/c',
    'bytes 0-3/20, bytes 4-7/20',
    'bytes 0x0-3/*',
    'bytes 1.5-3/*',
    'bytes -1-3/*',
    'bytes 18446744073709551616-18446744073709551615/*',
  ];
  for (const contentRange of malformed) {
    test(`are refused with 400 for the Content-Range ${JSON.stringify(contentRange)}`, async () => {
      const ticket = await wire.addImage(4096);
      const answer = await client.request('PUT', ticket.path, {
        headers: { 'Content-Range': contentRange },
        body: 'DATA',
      });
      assert.equal(answer.status, 400);
      assert.ok((await wire.contentOf(ticket)).equals(Buffer.alloc(4096)));
    });
  }

  for (const start of [
    '19997',
    '20000',
    '9007199254740990',
    '9007199254740991',
    '9007199254740992',
    '18446744073709551615',
    '18446744073709551616',
    '9'.repeat(300),
  ]) {
    test(`are refused with 416 when they start at ${start.slice(0, 30)} of ${sizeBytes}`, async () => {
      const ticket = await wire.addImage(sizeBytes);
      const answer = await client.request('PUT', ticket.path, {
        headers: { 'Content-Range': `bytes ${start}-*/*` },
        body: 'DATA',
      });
      assert.deepEqual([answer.status, answer.headers['content-range']], [416, `bytes */${sizeBytes}`]);
      assert.match(answer.text, /^range end \d+ > ticket size 20000\n$/);
      assert.ok((await wire.contentOf(ticket)).equals(Buffer.alloc(sizeBytes)));
    });
  }

  test('may be empty, also at the very end', async () => {
    const ticket = await wire.addImage(sizeBytes);
    for (const headers of [{}, { 'Content-Range': `bytes ${sizeBytes}-*/*` }]) {
      const answer = await client.request('PUT', ticket.path, { headers, body: '' });
      assert.equal(answer.status, 200);
    }
    assert.equal((await wire.vdsm.getTicket(ticket.id)).transferred, 0);
  });

  for (const [offset, length] of [
    [0, 1],
    [511, 2],
    [512, 512],
    [1, 4095],
    [4095, 4098],
    [19_999, 1],
    [3, 19_000],
  ] as const) {
    test(`of ${length} bytes at ${offset} change no neighbouring byte`, async () => {
      const expected = randomBytes(sizeBytes);
      const ticket = await wire.addImage(expected);
      const data = randomBytes(length);
      await client.write(ticket.id, data, offset);
      data.copy(expected, offset);
      assert.ok((await wire.contentOf(ticket)).equals(expected));
      assert.ok((await client.read(ticket.id, { offsetBytes: offset, lengthBytes: length })).equals(data));
    });
  }

  test('make an empty file as long as they are, not a whole block', async () => {
    const ticket = await wire.addImage(0, { size: sizeBytes });
    const data = randomBytes(1001);
    await client.write(ticket.id, data, 100);
    assert.ok((await wire.contentOf(ticket)).equals(Buffer.concat([Buffer.alloc(100), data])));
  });

  for (const type of [
    undefined,
    'application/octet-stream',
    'application/x-www-form-urlencoded',
    'application/json',
    'x-multipart/form-data',
    '',
    'nonsense',
  ]) {
    test(`are bytes whatever their type says: ${JSON.stringify(type)}`, async () => {
      const ticket = await wire.addImage(4);
      const answer = await client.request('PUT', ticket.path, {
        headers: type === undefined ? {} : { 'Content-Type': type },
        body: '{"a"',
      });
      assert.equal(answer.status, 200);
      assert.equal((await wire.contentOf(ticket)).toString(), '{"a"');
    });
  }

  for (const flush of ['y', 'n']) {
    test(`with flush=${flush} can be read back at once`, async () => {
      const ticket = await wire.addImage(4);
      const answer = await client.request('PUT', `${ticket.path}?flush=${flush}`, { body: 'DATA' });
      assert.equal(answer.status, 200);
      assert.equal((await client.request('GET', ticket.path)).text, 'DATA');
    });
  }

  test('close the connection after them on request', async () => {
    const ticket = await wire.addImage(4);
    const request = wire.request('PUT', `${ticket.path}?close=y`, ['Content-Length: 4'], 'DATA');
    const answer = parseAnswer(await wire.exchangeBytes(request));
    assert.deepEqual(
      [answer.status, answer.headers['connection'], answer.headers['content-length']],
      [200, 'close', '0'],
    );
  });

  test('of many buffers arrive whole', async () => {
    const data = randomBytes(9 * 1024 * 1024 + 77);
    const ticket = await wire.addImage(data.length + 3);
    await client.write(ticket.id, data, 3, true);
    const content = await wire.contentOf(ticket);
    assert.ok(content.subarray(3).equals(data));
    assert.equal((await wire.vdsm.getTicket(ticket.id)).transferred, data.length);
  });

  describe('in chunks', () => {
    function chunked(path: string, body: string, ...headers: string[]): string {
      return wire.request('PUT', path, ['Transfer-Encoding: chunked', ...headers], body);
    }

    test('end where the body ends', async () => {
      const ticket = await wire.addImage(100);
      const socket = await wire.connect();
      await socket.send(
        chunked(
          ticket.path,
          '3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n',
          'Content-Range: bytes 5-*/*',
        ),
      );
      await socket.send(wire.request('GET', ticket.path, ['Connection: close', 'Range: bytes=5-11']));
      const [put, get] = (await socket.readUntilClose()).toString('latin1').split('HTTP/1.1 ').slice(1);
      assert.match(put!, /^200 /);
      assert.match(get!, /^206 [^]*abcdefg$/);
      assert.equal((await wire.vdsm.getTicket(ticket.id)).transferred, 7);
    });

    test('may be as long as the ticket', async () => {
      const ticket = await wire.addImage(4);
      const request = chunked(ticket.path, '4\r\nDATA\r\n0\r\n\r\n', 'Connection: close');
      assert.equal(parseAnswer(await wire.exchangeBytes(request)).status, 200);
      assert.equal((await wire.contentOf(ticket)).toString(), 'DATA');
    });

    test('may be empty', async () => {
      const ticket = await wire.addImage(4);
      const request = chunked(ticket.path, '0\r\n\r\n', 'Connection: close');
      assert.equal(parseAnswer(await wire.exchangeBytes(request)).status, 200);
    });

    test('write nothing past the ticket and get 416', async () => {
      const ticket = await wire.addImage(8, { size: 4 });
      const answer = parseAnswer(await wire.exchangeBytes(chunked(ticket.path, '6\r\nDATA!!\r\n')));
      assert.deepEqual([answer.status, answer.headers['connection']], [416, 'close']);
      assert.ok((await wire.contentOf(ticket)).subarray(4).equals(Buffer.alloc(4)));
    });

    test('get 416 at once when they begin past the ticket', async () => {
      const ticket = await wire.addImage(8, { size: 4 });
      const request = chunked(ticket.path, '1\r\nx\r\n', 'Content-Range: bytes 5-*/*');
      assert.equal(parseAnswer(await wire.exchangeBytes(request)).status, 416);
    });

    test('that are cut are written and counted as far as they came, and get 400', async () => {
      const ticket = await wire.addImage(100);
      const socket = await wire.connect();
      await socket.send(chunked(ticket.path, '3\r\nabc\r\n10\r\ndef'));
      socket.halfClose();
      const answer = parseAnswer(await socket.readUntilClose());
      assert.deepEqual([answer.status, answer.headers['connection']], [400, 'close']);
      assert.equal((await wire.contentOf(ticket)).toString('latin1', 0, 7), 'abcdef\0');
      assert.equal((await wire.vdsm.getTicket(ticket.id)).transferred, 6);
    });

    for (const size of ['zz', '-1', '0x5', '5 5', '10000000000000000', 'ffffffffffffffffff']) {
      test(`with a chunk size of ${size} get 400 and the connection ends`, async () => {
        const ticket = await wire.addImage(100);
        const smuggled = wire.request('GET', '/info/');
        const answer = parseAnswer(
          await wire.exchangeBytes(chunked(ticket.path, `1\r\na\r\n${size}\r\n${smuggled}`)),
        );
        assert.deepEqual([answer.status, answer.headers['connection']], [400, 'close']);
      });
    }
  });
});
