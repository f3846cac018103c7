import assert from 'node:assert/strict';
import { open, readFile } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { ImagesClient, imagePath } from '../support/client.js';
import { eventually, within } from '../support/deadline.js';
import { sha256OfFile, writeRandomImage } from '../support/images.js';
import { Deployment } from './deployment.js';

// Much more than the sockets on the way can hold, so that a download that nobody reads is still running.
const imageBytes = 64 * MiB;
const chunkBytes = 16 * MiB;
// It takes well under a second; a client that hears of it only by its own timeout would wait for minutes.
const failureDeadlineMs = 5000;

// Tickets and sessions are in memory only: after a crash the engine gives new ones, and the
// client goes on with what it knows.
for (const role of ['daemon', 'proxy'] as const) {
  describe(`a transfer through the proxy whose ${role} is killed`, () => {
    let deployment: Deployment;
    let source: string;
    let client: ImagesClient;
    before(async () => {
      deployment = await Deployment.start();
      source = deployment.folder.file('source');
      await writeRandomImage(source, imageBytes);
    });
    after(async () => {
      await deployment[Symbol.asyncDispose]();
    });

    /** A new ticket at the daemon, and a client with a new session for it. */
    const begin = async (operation: 'read' | 'write', file: string): Promise<string> => {
      const ticketId = await deployment.addTicket(operation, file, imageBytes);
      const headers = { Authorization: deployment.signTicket(ticketId) };
      client = new ImagesClient(deployment.proxy.address('remote'), { headers });
      return ticketId;
    };
    const kill = async (): Promise<void> => {
      await deployment[role].program.kill();
    };
    const recover = async (operation: 'read' | 'write', file: string): Promise<string> => {
      client.close();
      await deployment.restart(role);
      return begin(operation, file);
    };

    test('fails in mid-upload at once, and is resumed after the last acknowledged chunk', async () => {
      const target = deployment.folder.file('target');
      await (await open(target, 'w')).close();
      const ticketId = await begin('write', target);
      const chunk = (await readFile(source)).subarray(0, chunkBytes);
      await client.write(ticketId, chunk, 0, true);

      const body = new PassThrough();
      const last = 2 * chunkBytes - 1;
      const headers = { 'Content-Length': chunkBytes, 'Content-Range': `bytes ${chunkBytes}-${last}/*` };
      const outcome = client.request('PUT', imagePath(ticketId), { headers, body }).then(
        ({ status }) => status,
        () => 'cut off',
      );
      // Other data than the image has, so that a chunk that is not sent again shows.
      body.write(Buffer.alloc(chunkBytes / 2, 'x'));
      await eventually(async () => {
        const { transferred = 0 } = await deployment.daemon.vdsm.getTicket(ticketId);
        return transferred > chunkBytes ? true : undefined;
      }, 'the daemon writes the second chunk');
      await kill();
      const failure = await within(outcome, 'the failure', { deadlineMs: failureDeadlineMs });
      assert.equal(failure, role === 'daemon' ? 502 : 'cut off');

      const newTicketId = await recover('write', target);
      await client.upload(newTicketId, source, { fromBytes: chunkBytes, chunkBytes });
      assert.equal(await sha256OfFile(target), await sha256OfFile(source));
      client.close();
    });

    test('fails in mid-download at once, and is resumed after the last byte that came', async () => {
      const target = deployment.folder.file('downloaded');
      const ticketId = await begin('read', source);
      const response = await client.open('GET', imagePath(ticketId));
      assert.equal(response.statusCode, 200);
      let receivedBytes = 0;
      const file = await open(target, 'w');
      const receive = async (): Promise<void> => {
        for await (const data of response as AsyncIterable<Buffer>) {
          await file.write(data);
          receivedBytes += data.length;
          if (receivedBytes - data.length >= chunkBytes || receivedBytes < chunkBytes) continue;
          await kill();
          killed.resolve(undefined);
        }
      };
      const killed = Promise.withResolvers<undefined>();
      const failure = assert.rejects(receive(), /aborted|ECONNRESET/);
      await Promise.race([killed.promise, failure]);
      await within(failure, 'the failure', { deadlineMs: failureDeadlineMs });
      await file.close();
      assert.ok(receivedBytes >= chunkBytes && receivedBytes < imageBytes);

      const newTicketId = await recover('read', source);
      await client.download(newTicketId, target, receivedBytes);
      assert.equal(await sha256OfFile(target), await sha256OfFile(source));
      client.close();
    });
  });
}
