import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { before, test } from 'node:test';
import type { Answer } from '../support/exchange.js';
import type { ImageTicket } from './daemon-under-test.js';
import { parseAnswer, parseAnswers } from './raw-answers.js';
import { describeWire } from './wire-under-test.js';

// No multiple of any block size, so that every end is unaligned for direct I/O.
const image = randomBytes(10_001);
const last = image.length - 1;

describeWire('downloads', {}, (wire) => {
  let ticket: ImageTicket;
  let get: (headers: Record<string, string>, path?: string) => Promise<Answer>;
  before(async () => {
    ticket = await wire.addImage(image, { ops: ['read'] });
    const client = wire.client();
    get = (headers, path = ticket.path) => client.request('GET', path, { headers });
  });

  test('are the whole image without Range', async () => {
    const answer = await get({});
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'application/octet-stream');
    assert.equal(answer.headers['content-length'], String(image.length));
    assert.equal(answer.headers['accept-ranges'], 'bytes');
    assert.equal(answer.headers['content-disposition'], 'attachment');
    assert.equal(answer.headers['content-range'], undefined);
    assert.equal(answer.headers['transfer-encoding'], undefined);
    assert.ok(answer.body.equals(image));
  });

  const satisfiable: readonly (readonly [string, number, number])[] = [
    ['bytes=0-0', 0, 0],
    ['bytes=0-511', 0, 511],
    ['bytes=1-4096', 1, 4096],
    ['bytes=511-512', 511, 512],
    ['bytes=4095-8193', 4095, 8193],
    [`bytes=${last}-${last}`, last, last],
    [`bytes=0-${last}`, 0, last],
    ['bytes=0-', 0, last],
    ['bytes=7-', 7, last],
    [`bytes=${last}-`, last, last],
    ['bytes=-1', last, last],
    ['bytes=-513', image.length - 513, last],
    [`bytes=-${image.length}`, 0, last],
    [`bytes=-${image.length + 1}`, 0, last],
    ['bytes=-9007199254740991', 0, last],
    ['bytes=-9007199254740993', 0, last],
    ['bytes=-18446744073709551616', 0, last],
    ['Bytes=2-3', 2, 3],
    ['bytes=00002-00003', 2, 3],
  ];
  for (const [range, from, to] of satisfiable) {
    test(`are the asked part with Range ${range}`, async () => {
      const answer = await get({ Range: range });
      assert.equal(answer.status, 206);
      assert.equal(answer.headers['content-range'], `bytes ${from}-${to}/${image.length}`);
      assert.equal(answer.headers['content-length'], String(to - from + 1));
      assert.equal(answer.headers.range, undefined);
      assert.ok(answer.body.equals(image.subarray(from, to + 1)));
    });
  }

  const outside = [
    `bytes=0-${image.length}`,
    `bytes=${image.length}-`,
    `bytes=${image.length}-${image.length}`,
    'bytes=0-9007199254740990',
    'bytes=0-9007199254740991',
    'bytes=0-9007199254740992',
    'bytes=0-18446744073709551615',
    'bytes=9007199254740991-',
    'bytes=9007199254740993-',
    'bytes=18446744073709551615-18446744073709551616',
    `bytes=0-${'9'.repeat(400)}`,
    'bytes=-0',
  ];
  for (const range of outside) {
    test(`are refused with the size for Range ${range.slice(0, 60)}`, async () => {
      const answer = await get({ Range: range });
      assert.equal(answer.status, 416);
      assert.equal(answer.headers['content-range'], `bytes */${image.length}`);
      assert.match(answer.text, / ticket size 10001\n$/);
    });
  }

  const invalid = [
    '',
    'bytes',
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'bytes=5-4',
    'bytes=0-1,3-4',
    'bytes=0-0,',
    'bytes=-5-10',
    'bytes=+1-2',
    'bytes=0x1-2',
    'bytes=1.0-2',
    'bytes=1 2-3',
    'lines=0-1',
    '0-1',
    'bytes=18446744073709551616-1',
  ];
  for (const range of invalid) {
    test(`are refused without a size for the invalid Range ${JSON.stringify(range)}`, async () => {
      const answer = await get({ Range: range });
      assert.equal(answer.status, 416);
      assert.equal(answer.headers['content-range'], undefined);
    });
  }

  test('keep the connection after a range that was refused', async () => {
    const socket = await wire.connect();
    await socket.send(
      wire.request('GET', ticket.path, ['Range: bytes=99999-']) +
        wire.request('GET', ticket.path, ['Range: bytes=0-0', 'Connection: close']),
    );
    const answers = parseAnswers(await socket.readUntilClose());
    assert.deepEqual(
      answers.map(({ status }) => status),
      [416, 206],
    );
  });

  for (const [range, status, headers] of [
    [undefined, 200, { 'content-length': String(image.length) }],
    ['bytes=5-9', 206, { 'content-length': '5', 'content-range': `bytes 5-9/${image.length}` }],
    ['bytes=-3', 206, { 'content-length': '3', 'content-range': `bytes 9998-10000/${image.length}` }],
    ['bytes=99999-', 416, { 'content-range': `bytes */${image.length}` }],
    ['bytes=5', 416, {}],
  ] as const) {
    test(`have a HEAD that answers as GET would, without body, for Range ${range ?? 'none'}`, async () => {
      const socket = await wire.connect();
      const head = range === undefined ? [] : [`Range: ${range}`];
      await socket.send(
        wire.request('HEAD', ticket.path, head) + wire.request('GET', '/info/', ['Connection: close']),
      );
      const [answer, next] = parseAnswers(await socket.readUntilClose(), 1);
      assert.equal(answer!.status, status);
      for (const [name, value] of Object.entries(headers)) assert.equal(answer!.headers[name], value);
      assert.equal(next!.status, 200);
    });
  }

  test('read no byte of the image for HEAD, and count none', async () => {
    const counted = await wire.addImage(image, { ops: ['read'] });
    await wire.client().request('HEAD', counted.path);
    assert.equal((await wire.vdsm.getTicket(counted.id)).transferred, 0);
  });

  test('close the connection after them on request', async () => {
    const answer = parseAnswer(await wire.exchangeBytes(wire.request('GET', `${ticket.path}?close=y`)));
    assert.deepEqual(
      [answer.status, answer.headers['connection'], answer.body.length],
      [200, 'close', image.length],
    );
  });

  test('are neither compressed nor chunked for clients that would take it', async () => {
    const answer = await get({ 'Accept-Encoding': 'gzip, br, zstd', TE: 'trailers' });
    assert.equal(answer.headers['content-encoding'], undefined);
    assert.equal(answer.headers['content-length'], String(image.length));
  });

  test('ignore a Range whose If-Range condition cannot be met', async () => {
    const answer = await get({ Range: 'bytes=1-2', 'If-Range': '"etag"' });
    assert.deepEqual([answer.status, answer.body.length], [200, image.length]);
  });

  for (const [what, imageBytes, ticketBytes, body] of [
    ['an empty image', 0, 4096, ''],
    ['a ticket of size 0', 4096, 0, ''],
    ['an image that ends before its ticket', 100, 4096, '\0'.repeat(100)],
    ['a ticket that ends before its image', 4096, 100, '\0'.repeat(100)],
  ] as const) {
    test(`are the smaller of ticket and image: ${what}`, async () => {
      const { path } = await wire.addImage(imageBytes, { ops: ['read'], size: ticketBytes });
      const answer = await get({}, path);
      assert.deepEqual([answer.status, answer.text], [200, body]);
      assert.equal(answer.headers['content-length'], String(body.length));
      const head = await wire.client().request('HEAD', path);
      assert.deepEqual([head.status, head.headers['content-length']], [200, String(body.length)]);
    });
  }

  test('say the size of the image for a range within the ticket but above the image', async () => {
    const { path } = await wire.addImage(100, { ops: ['read'], size: 4096 });
    for (const range of ['bytes=100-', 'bytes=0-100', 'bytes=100-200']) {
      const answer = await get({ Range: range }, path);
      assert.deepEqual([answer.status, answer.headers['content-range']], [416, 'bytes */100']);
    }
    const beyondTicket = await get({ Range: 'bytes=0-4096' }, path);
    assert.deepEqual([beyondTicket.status, beyondTicket.headers['content-range']], [416, 'bytes */4096']);
    const within = await get({ Range: 'bytes=0-99' }, path);
    assert.deepEqual([within.status, within.headers['content-range']], [206, 'bytes 0-99/4096']);
  });

  for (const range of ['bytes=0-', 'bytes=0-0', 'bytes=-1']) {
    test(`refuse ${range} of an empty image with its size`, async () => {
      for (const [imageBytes, ticketBytes] of [
        [0, 4096],
        [4096, 0],
      ] as const) {
        const { path } = await wire.addImage(imageBytes, { ops: ['read'], size: ticketBytes });
        const answer = await get({ Range: range }, path);
        assert.deepEqual([answer.status, answer.headers['content-range']], [416, 'bytes */0']);
      }
    });
  }

  test('work with a ticket of 2^64 bytes', async () => {
    const { file } = ticket;
    const path = await wire.addTicket(
      `{"uuid":"${randomUUID()}","size":18446744073709551616,"ops":["read"],"timeout":300,` +
        `"url":"file://${file}"}`,
    );
    assert.ok((await get({}, path)).body.equals(image));
    const part = await get({ Range: 'bytes=0-0' }, path);
    assert.equal(part.headers['content-range'], 'bytes 0-0/18446744073709551616');
    const beyond = await get({ Range: 'bytes=0-18446744073709551615' }, path);
    assert.deepEqual([beyond.status, beyond.headers['content-range']], [416, `bytes */${image.length}`]);
  });
});
