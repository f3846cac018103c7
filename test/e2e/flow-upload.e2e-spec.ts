import assert from 'node:assert/strict';
import { open, stat } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '../../src/base/clock.js';
import { MiB } from '../../src/base/units.js';
import { ImagesClient, imagePath } from '../support/client.js';
import { eventually } from '../support/deadline.js';
import { assertSameImage, writeRandomImage } from '../support/images.js';
import { DaemonError } from '../support/vdsm.js';
import { Deployment } from './deployment.js';

const chunkBytes = MiB;
// The last chunk is short and ends in the middle of a block.
const imageBytes = 6 * chunkBytes + 12_345;

// The steps of one transfer (docs/protocol.md, "Upload"), in order: each goes on from where the one before
// it has left the image.
describe('an upload through the proxy', () => {
  let deployment: Deployment;
  let source: string;
  let target: string;
  let ticketId: string;
  let sessionId: string;
  let client: ImagesClient;

  before(async () => {
    deployment = await Deployment.start();
    source = deployment.folder.file('source');
    target = deployment.folder.file('target');
    await writeRandomImage(source, imageBytes);
    await (await open(target, 'w')).close();
  });
  after(async () => {
    client.close();
    await deployment[Symbol.asyncDispose]();
  });

  const transferred = async () => (await deployment.daemon.vdsm.getTicket(ticketId)).transferred ?? -1;

  /** Sends one chunk of the source with the session's id, and returns the status. */
  const putChunk = async (index: number): Promise<number> => {
    const offsetBytes = index * chunkBytes;
    const bytes = await readPart(source, offsetBytes, Math.min(chunkBytes, imageBytes - offsetBytes));
    const range = `bytes ${offsetBytes}-${offsetBytes + bytes.length - 1}/${imageBytes}`;
    const headers = { 'Content-Range': range, 'Content-Type': 'application/octet-stream' };
    return (
      await client.request('PUT', `${imagePath(ticketId)}?flush=n`, {
        headers,
        body: bytes,
      })
    ).status;
  };

  test('begins when vdsm adds a ticket, of which nothing is transferred', async () => {
    ticketId = await deployment.addTicket('write', target, imageBytes, {
      transfer_id: 'upload-1',
      sparse: true,
    });
    const info = await deployment.daemon.vdsm.getTicket(ticketId);
    assert.deepEqual([info.transferred, info.active, info.connections], [0, false, 0]);
    assert.deepEqual(info.ops, ['write']);
  });

  test('opens a session with the signed ticket', async () => {
    const anonymous = new ImagesClient(deployment.proxy.address('remote'));
    const headers = { Authorization: deployment.signTicket(ticketId), 'Content-Length': 0 };
    const answer = await anonymous.request('POST', '/sessions/', { headers });
    assert.equal(answer.status, 200, answer.text);
    sessionId = String(answer.headers['session-id']);
    assert.match(sessionId, /^[0-9a-f-]{36}$/);
    assert.equal((JSON.parse(answer.text) as { session_id: string }).session_id, sessionId);
    // Nobody gets at the image without what has just been handed out.
    assert.equal((await anonymous.request('OPTIONS', imagePath(ticketId))).status, 401);
    anonymous.close();
    client = new ImagesClient(deployment.proxy.address('remote'), { headers: { 'Session-Id': sessionId } });
  });

  test('asks what can be done with the image', async () => {
    const { features, unix_socket: unixSocket } = await client.capabilities(ticketId);
    assert.deepEqual([...features].sort(), ['checksum', 'extents', 'flush', 'zero']);
    // The socket is on the daemon's host, where this client is not.
    assert.equal(unixSocket, undefined);
  });

  test('sends chunks with Content-Range, each of which is counted', async () => {
    for (const index of [0, 1]) assert.equal(await putChunk(index), 200);
    assert.equal(await transferred(), 2 * chunkBytes);
  });

  test('counts a chunk that is sent again once', async () => {
    assert.equal(await putChunk(1), 200);
    assert.equal(await transferred(), 2 * chunkBytes);
  });

  test('is refused after a pause in which the ticket has expired, and nothing is written', async () => {
    // What is left of a ticket after a long pause.
    await deployment.daemon.vdsm.extendTicket(ticketId, 1);
    const { expires } = await deployment.daemon.vdsm.getTicket(ticketId);
    await eventually(
      () => (systemClock.monotonicSeconds() >= expires ? true : undefined),
      'the ticket has expired',
    );
    assert.equal(await putChunk(2), 403);
    assert.equal(await transferred(), 2 * chunkBytes);
    assert.equal((await stat(target)).size, 2 * chunkBytes);
  });

  test('goes on with the next chunk when the engine has extended the expired ticket', async () => {
    await deployment.daemon.vdsm.extendTicket(ticketId, 300);
    assert.equal(await putChunk(2), 200);
    assert.equal(await transferred(), 3 * chunkBytes);
  });

  test('shows its progress while a request is running', async () => {
    const offsetBytes = 3 * chunkBytes;
    const bytes = await readPart(source, offsetBytes, 2 * chunkBytes);
    const body = new PassThrough();
    const answer = client.request('PUT', `${imagePath(ticketId)}?flush=n`, {
      headers: {
        'Content-Length': bytes.length,
        'Content-Range': `bytes ${offsetBytes}-${offsetBytes + bytes.length - 1}/*`,
      },
      body,
    });
    body.write(bytes.subarray(0, chunkBytes));
    const running = await eventually(async () => {
      const info = await deployment.daemon.vdsm.getTicket(ticketId);
      return info.transferred === offsetBytes + chunkBytes ? info : undefined;
    }, 'the first half of the request is counted');
    assert.deepEqual([running.active, running.idle_time, running.connections > 0], [true, 0, true]);
    body.end(bytes.subarray(chunkBytes));
    assert.equal((await answer).status, 200);
    assert.equal(await transferred(), offsetBytes + 2 * chunkBytes);
  });

  test('ends with the last, short chunk and a flush', async () => {
    for (const index of [5, 6]) assert.equal(await putChunk(index), 200);
    await client.flush(ticketId);
    const info = await eventually(async () => {
      const found = await deployment.daemon.vdsm.getTicket(ticketId);
      return found.active ? undefined : found;
    }, 'no operation is running');
    assert.equal(info.transferred, imageBytes);
    await assertSameImage(target, source);
  });

  test('is closed to the client when its session is deleted', async () => {
    const path = `/sessions/${sessionId}`;
    assert.equal((await client.request('DELETE', path)).status, 204);
    assert.equal((await client.request('DELETE', path)).status, 404);
    assert.equal(await putChunk(0), 403);
  });

  test('is over when vdsm removes the ticket', async () => {
    const { vdsm } = deployment.daemon;
    await vdsm.removeTicket(ticketId);
    await assert.rejects(vdsm.getTicket(ticketId), (error: unknown) => {
      assert.ok(error instanceof DaemonError);
      assert.equal(error.answer.status, 404);
      return true;
    });
    // Removing is idempotent, and what was uploaded stays.
    await vdsm.removeTicket(ticketId);
    await assertSameImage(target, source);
  });

  test('is found in the log of the daemon by its transfer id, and nowhere by what opens doors', () => {
    assert.match(deployment.daemon.logText, /"transfer_id":"upload-1"/);
    for (const { role, logText } of [deployment.daemon, deployment.proxy])
      for (const secret of [ticketId, sessionId]) assert.ok(!logText.includes(secret), role);
  });
});

describe('an upload of a browser page that shows its signed ticket with each chunk', () => {
  test('needs no POST to /sessions/, and stays in one session', async () => {
    await using deployment = await Deployment.start();
    const source = deployment.folder.file('source');
    const target = deployment.folder.file('target');
    await writeRandomImage(source, 2 * chunkBytes);
    await (await open(target, 'w')).close();
    const ticketId = await deployment.addTicket('write', target, 2 * chunkBytes);
    const page = new ImagesClient(deployment.proxy.address('remote'), {
      headers: { Origin: 'https://engine.example.com' },
    });
    const preflight = await page.request('OPTIONS', imagePath(ticketId), {
      headers: {
        'Access-Control-Request-Method': 'PUT',
        'Access-Control-Request-Headers': 'authorization,cache-control,content-range,content-type,pragma',
      },
    });
    assert.equal(preflight.status, 200);
    assert.equal(preflight.headers['access-control-allow-origin'], '*');
    // The wildcard does not cover this one.
    assert.match(String(preflight.headers['access-control-allow-headers']), /\bAuthorization\b/i);
    assert.match(String(preflight.headers['access-control-allow-methods']), /\bPUT\b/);

    const signedTicket = deployment.signTicket(ticketId);
    const sessionIds = new Set<unknown>();
    for (const offsetBytes of [0, chunkBytes]) {
      const answer = await page.request('PUT', imagePath(ticketId), {
        headers: {
          Authorization: signedTicket,
          'Cache-Control': 'no-cache',
          Pragma: 'no-cache',
          'Content-Type': 'application/octet-stream',
          'Content-Range': `bytes ${offsetBytes}-${offsetBytes + chunkBytes - 1}/${2 * chunkBytes}`,
        },
        body: await readPart(source, offsetBytes, chunkBytes),
      });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers['access-control-allow-origin'], '*');
      // The page would take it for the bytes that were accepted.
      assert.equal(answer.headers.range, undefined);
      sessionIds.add(answer.headers['session-id']);
    }
    assert.equal(sessionIds.size, 1);
    await assertSameImage(target, source);
    page.close();
  });
});

async function readPart(path: string, offsetBytes: number, lengthBytes: number): Promise<Buffer> {
  await using file = await open(path);
  const { buffer } = await file.read(Buffer.alloc(lengthBytes), 0, lengthBytes, offsetBytes);
  return buffer;
}
