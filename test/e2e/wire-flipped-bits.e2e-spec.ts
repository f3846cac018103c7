import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { before, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import type { ImagesClient } from '../support/client.js';
import type { ImageTicket } from './daemon-under-test.js';
import { parseAnswer, type RawAnswer } from './raw-answers.js';
import { describeWire } from './wire-under-test.js';

const imageBytes = 4 * MiB;

function digestOf(data: Uint8Array): string {
  return `sha-256=:${createHash('sha256').update(data).digest('base64')}:`;
}

/** Whatever stands between client and daemon, or between proxy and daemon, has flipped a bit. */
describeWire('a bit that is flipped on the way', { corrupting: true }, (wire) => {
  let client: ImagesClient;
  before(() => {
    client = wire.client();
  });

  const inHead = async ({ path }: ImageTicket, body: Buffer): Promise<RawAnswer> => {
    const digest = `Content-Digest: ${digestOf(body)}`;
    return send(path, [`Content-Length: ${body.length}`, digest], body);
  };

  const inTrailer = async ({ path }: ImageTicket, body: Buffer): Promise<RawAnswer> => {
    const parts = [
      `${body.length.toString(16)}\r\n`,
      body,
      `\r\n0\r\nContent-Digest: ${digestOf(body)}\r\n\r\n`,
    ];
    return send(path, ['Transfer-Encoding: chunked', 'Trailer: Content-Digest'], ...parts);
  };

  const send = async (
    path: string,
    framing: readonly string[],
    ...body: (Buffer | string)[]
  ): Promise<RawAnswer> => {
    const headers = [...framing, 'Accept: application/problem+json', 'Connection: close'];
    const request = Buffer.concat(
      [wire.request('PUT', path, headers), ...body].map((part) => Buffer.from(part)),
    );
    return parseAnswer(await wire.exchangeBytes(request));
  };

  const receivedBytes = async ({ path }: ImageTicket): Promise<number> => {
    const { text } = await client.request('GET', `${path}/ranges`);
    return (JSON.parse(text) as { received_bytes: number }).received_bytes;
  };

  test('goes unnoticed where nobody told a digest', async () => {
    const image = await wire.addImage(imageBytes);
    const body = randomBytes(MiB);
    wire.relay.flipNext('request', 1000);
    assert.equal((await send(image.path, [`Content-Length: ${body.length}`], body)).status, 200);
    assert.equal(wire.relay.isWaiting, false);
    const content = (await wire.contentOf(image)).subarray(0, body.length);
    assert.deepEqual([content.equals(body), content[1000]], [false, (body[1000] ?? 0) ^ 0x10]);
  });

  for (const [place, put] of [
    ['head', inHead],
    ['trailer', inTrailer],
  ] as const) {
    for (const lengthBytes of [2000, 3 * MiB]) {
      test(`has ${lengthBytes} bytes refused whose digest is in its ${place}, none counted`, async () => {
        const content = randomBytes(imageBytes);
        const image = await wire.addImage(content);
        const body = randomBytes(lengthBytes);
        wire.relay.flipNext('request', lengthBytes >> 1);
        const refused = await put(image, body);
        assert.equal(wire.relay.isWaiting, false);
        assert.equal(refused.status, 400, refused.body);
        assert.match(refused.body, /#digest-mismatching-value"/);
        assert.equal(await receivedBytes(image), 0);
        assert.equal((await wire.vdsm.getTicket(image.id)).transferred, 0);
        if (lengthBytes < MiB) assert.ok((await wire.contentOf(image)).equals(content));
        assert.equal((await put(image, body)).status, 200);
        assert.equal(await receivedBytes(image), lengthBytes);
        assert.ok((await wire.contentOf(image)).subarray(0, lengthBytes).equals(body));
      });
    }
  }

  test('is found by who wanted the digest of what it reads', async () => {
    const content = randomBytes(imageBytes);
    const image = await wire.addImage(content);
    const headers = { 'Want-Content-Digest': 'sha-256=1', Range: `bytes=0-${2 * MiB - 1}` };
    wire.relay.flipNext('answer', MiB);
    const damaged = await client.request('GET', image.path, { headers });
    assert.equal(damaged.status, 206);
    assert.notEqual(damaged.headers['content-digest'], digestOf(damaged.body));
    assert.equal(damaged.headers['content-digest'], digestOf(content.subarray(0, 2 * MiB)));
    const whole = await client.request('GET', image.path, { headers });
    assert.equal(whole.headers['content-digest'], digestOf(whole.body));
  });
});
