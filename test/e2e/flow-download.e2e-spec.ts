import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { ImagesClient, imagePath } from '../support/client.js';
import { eventually } from '../support/deadline.js';
import { assertSameImage, sha256OfFile, writeSparseImage } from '../support/images.js';
import { RawSocket } from '../support/raw-socket.js';
import { DaemonError } from '../support/vdsm.js';
import { Deployment } from './deployment.js';

// More than all sockets between daemon and client buffer, so that a download can be broken in the middle.
const imageBytes = 48 * MiB + 12_345;

describe('a download through the proxy', () => {
  let deployment: Deployment;
  let image: string;
  let ticketId: string;
  let sessionId: string;
  let client: ImagesClient;

  before(async () => {
    deployment = await Deployment.start();
    image = deployment.folder.file('image');
    await writeSparseImage(image, imageBytes, [
      { offsetBytes: 0, lengthBytes: 20 * MiB },
      { offsetBytes: 30 * MiB, lengthBytes: imageBytes - 30 * MiB },
    ]);
  });
  after(async () => {
    client.close();
    await deployment[Symbol.asyncDispose]();
  });

  test('begins with a session for the signed ticket', async () => {
    ticketId = await deployment.addTicket('read', image, imageBytes, { transfer_id: 'download-1' });
    const opener = new ImagesClient(deployment.proxy.address('remote'));
    const headers = { Authorization: deployment.signTicket(ticketId), 'Content-Length': 0 };
    const answer = await opener.request('POST', '/sessions/', { headers });
    opener.close();
    assert.equal(answer.status, 200, answer.text);
    sessionId = String(answer.headers['session-id']);
    client = new ImagesClient(deployment.proxy.address('remote'), { query: `session_id=${sessionId}` });
  });

  test('is counted as far as it came when the client breaks the connection in the middle', async () => {
    const response = await client.open('GET', imagePath(ticketId));
    assert.equal(response.statusCode, 200);
    assert.equal(response.headers['content-length'], String(imageBytes));
    const file = createWriteStream(deployment.folder.file('part'));
    let keptBytes = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      if (!file.write(chunk)) await once(file, 'drain');
      keptBytes += chunk.length;
      // Leaving the loop destroys the response and its connection.
      if (keptBytes >= 5 * MiB) break;
    }
    file.end();
    await finished(file);
    const info = await eventually(async () => {
      const found = await deployment.daemon.vdsm.getTicket(ticketId);
      return found.active ? undefined : found;
    }, 'the daemon has noticed that the client is gone');
    assert.ok(info.transferred !== undefined && info.transferred < imageBytes);
    assert.ok(keptBytes < imageBytes);
  });

  test('is resumed by a range request for the rest', async () => {
    const part = deployment.folder.file('part');
    const { size: keptBytes } = await stat(part);
    await client.download(ticketId, part, keptBytes);
    await assertSameImage(part, image);
  });

  test('is complete for the engine when all is transferred and nothing is active', async () => {
    const whole = deployment.folder.file('whole');
    await client.download(ticketId, whole);
    assert.equal(await sha256OfFile(whole), await sha256OfFile(image));
    const info = await eventually(async () => {
      const found = await deployment.daemon.vdsm.getTicket(ticketId);
      return found.active ? undefined : found;
    }, 'no operation is running');
    assert.equal(info.transferred, info.size);
  });

  test('tells in a HEAD what would be downloaded', async () => {
    const answer = await client.request('HEAD', imagePath(ticketId));
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-length'], String(imageBytes));
    assert.equal(answer.body.length, 0);
  });

  test('shows extents that add up to the image', async () => {
    const extents = await client.extents(ticketId);
    let endBytes = 0;
    for (const { start, length } of extents) {
      assert.equal(start, endBytes);
      endBytes = start + length;
    }
    assert.equal(endBytes, imageBytes);
    assert.ok(
      extents.some(({ zero, start, length }) => zero && start <= 20 * MiB && start + length >= 30 * MiB),
    );
  });

  test('is cut off when its session is deleted while it runs', async () => {
    const response = await client.open('GET', imagePath(ticketId));
    await once(response, 'readable');
    const cut = once(response, 'error');
    assert.equal((await client.request('DELETE', `/sessions/${sessionId}`)).status, 204);
    response.resume();
    await cut;
    assert.equal(response.complete, false);
    const refused = await client.request('GET', imagePath(ticketId));
    assert.equal(refused.status, 403);
  });

  test('is over when vdsm removes the ticket', async () => {
    const { vdsm } = deployment.daemon;
    await vdsm.removeTicket(ticketId);
    await assert.rejects(vdsm.getTicket(ticketId), DaemonError);
  });
});

describe('a download that a browser makes', () => {
  const origin = 'https://engine.example.com';
  const filename = 'Kopie von „Büro“ 磁盘 100%.qcow2';
  let deployment: Deployment;
  let image: string;
  let ticketId: string;
  let sessionId: string;

  before(async () => {
    deployment = await Deployment.start();
    image = deployment.folder.file('image');
    await writeSparseImage(image, 3 * MiB, [{ offsetBytes: 0, lengthBytes: 3 * MiB }]);
    ticketId = await deployment.addTicket('read', image, 3 * MiB, { filename });
  });
  after(async () => {
    await deployment[Symbol.asyncDispose]();
  });

  test('may show its signed ticket to /sessions/ from another origin', async () => {
    const page = new ImagesClient(deployment.proxy.address('remote'), { headers: { Origin: origin } });
    const answer = await page.request('OPTIONS', '/sessions/', {
      headers: {
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'authorization',
      },
    });
    page.close();
    assert.ok(answer.status >= 200 && answer.status < 300, String(answer.status));
    assert.equal(answer.headers['access-control-allow-origin'], '*');
    assert.match(String(answer.headers['access-control-allow-headers']), /\bAuthorization\b/i);
    assert.match(String(answer.headers['access-control-allow-methods']), /\bPOST\b/);
    assert.equal(answer.headers['access-control-max-age'], '86400');
  });

  test('may read the id of the session that it opened', async () => {
    const page = new ImagesClient(deployment.proxy.address('remote'), { headers: { Origin: origin } });
    const answer = await page.request('POST', '/sessions/', {
      headers: { Authorization: deployment.signTicket(ticketId), 'Content-Length': 0 },
    });
    page.close();
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers['access-control-allow-origin'], '*');
    assert.match(String(answer.headers['access-control-expose-headers']), /\bSession-Id\b/);
    sessionId = String(answer.headers['session-id']);
  });

  test('may show why it was refused', async () => {
    const page = new ImagesClient(deployment.proxy.address('remote'), { headers: { Origin: origin } });
    const answer = await page.request('GET', `${imagePath(ticketId)}?session_id=none`);
    page.close();
    assert.equal(answer.status, 403);
    assert.equal(answer.headers['access-control-allow-origin'], '*');
    assert.match(answer.text, /^You are not allowed to access this resource: .*\n$/);
  });

  test('follows a link that names the session, and gets a file of the right name', async () => {
    const link = new ImagesClient(deployment.proxy.address('remote'));
    const answer = await link.request('GET', `${imagePath(ticketId)}?session_id=${sessionId}`);
    link.close();
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'application/octet-stream');
    assert.equal(answer.headers['content-length'], String(3 * MiB));
    assert.equal(answer.headers['accept-ranges'], 'bytes');
    assert.equal(answer.headers['cache-control'], 'no-cache, no-store');
    assert.equal(fileNameOf(String(answer.headers['content-disposition'])), filename);
    // A request without an Origin is nothing to tell other origins about.
    assert.equal(answer.headers['access-control-allow-origin'], undefined);
    assert.equal(answer.body.length, 3 * MiB);
  });

  test('resumes where a broken download ended', async () => {
    const link = new ImagesClient(deployment.proxy.address('remote'));
    const answer = await link.request('GET', `${imagePath(ticketId)}?session_id=${sessionId}`, {
      headers: { Range: `bytes=${2 * MiB}-` },
    });
    link.close();
    assert.equal(answer.status, 206);
    assert.equal(answer.headers['content-range'], `bytes ${2 * MiB}-${3 * MiB - 1}/${3 * MiB}`);
    assert.equal(answer.body.length, MiB);
  });

  test('gets the connection closed after the answer when the link asks for it', async () => {
    const socket = await RawSocket.connect(deployment.proxy.address('remote'));
    await socket.sendHead(
      `GET ${imagePath(ticketId)}?close=y&session_id=${sessionId} HTTP/1.1`,
      'Host: localhost',
    );
    const answer = await socket.readUntilClose();
    const headBytes = answer.indexOf('\r\n\r\n') + 4;
    assert.match(
      answer.toString('latin1', 0, headBytes),
      /^HTTP\/1\.1 200 OK\r\n[^]*\r\nConnection: close\r\n/i,
    );
    assert.equal(answer.length - headBytes, 3 * MiB);
  });
});

/** What RFC 6266 makes of a Content-Disposition with `filename*`. */
function fileNameOf(disposition: string): string {
  const [, encoded] = /^attachment;.*filename\*=UTF-8''([^;]+)/.exec(disposition) ?? [];
  assert.ok(encoded !== undefined, disposition);
  return decodeURIComponent(encoded);
}
