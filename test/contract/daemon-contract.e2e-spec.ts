import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { DaemonUnderTest, type ImageTicket } from '../e2e/daemon-under-test.js';
import { answerTo, inUnknownFraming, type Call } from './call.js';
import { testContract, type Drive } from './drive.js';
import { hangingStorage, needsHangingStorage } from './hanging-storage.js';
import { Workspace } from '../nbd/servers.js';
import { FullStorage, needsFullStorage } from './full-storage.js';
import { beginJobs, hasOnlyId, imageCall, imageOperations, type ImageOperation } from './image-calls.js';
import { impatient, patientGrace, StoppingService } from './stopping-service.js';

describe('the contract of the daemon', () => {
  let fixture: DaemonUnderTest;
  let stoppingWorld: DaemonUnderTest;
  let stopping: StoppingService;
  let full: FullStorage | undefined;
  let image: ImageTicket;
  let broken: ImageTicket;
  let cramped: ImageTicket | undefined;
  let workspace: Workspace;
  /** Its first job never ends. */
  let hung: ImageTicket | undefined;

  before(async () => {
    fixture = await DaemonUnderTest.start({ ...impatient, control: { remove_timeout: 1 } });
    image = await fixture.addImage(MiB, { inactivity_timeout: 3, filename: 'disk.raw' });
    await beginJobs(image.path, [], send);
    workspace = await Workspace.create();
    if (needsHangingStorage() === false) {
      const { url, sizeBytes } = await hangingStorage(workspace);
      hung = await fixture.addImage(undefined, { size: sizeBytes, url });
      await send(imageCall('patchImage', hung.path, 202));
    }
    broken = await fixture.addImage(undefined, { size: MiB });
    if (needsFullStorage() === false) {
      full = new FullStorage(fixture.folder.path);
      const file = join(full.path, 'image.raw');
      await writeFile(file, 'x');
      cramped = await fixture.addImage(undefined, { size: 16 * MiB, url: `file://${file}` });
    }
    stoppingWorld = await DaemonUnderTest.start(patientGrace);
    const patient = await stoppingWorld.addImage(MiB, { inactivity_timeout: 600 });
    stopping = await StoppingService.begin(
      stoppingWorld.daemon,
      stoppingWorld.daemon.address('remote'),
      imageCall('writeImage', patient.path),
      imageOperations.length + 1,
    );
  });
  after(async () => {
    await stopping.end();
    await stoppingWorld[Symbol.asyncDispose]();
    await fixture.daemon.stop();
    full?.[Symbol.dispose]();
    await workspace[Symbol.asyncDispose]();
    await fixture[Symbol.asyncDispose]();
  });

  const send = (call: Call) => answerTo(fixture.daemon.address('remote'), call);
  /** From a daemon that has no key. */
  const answerFromKeyless = async ({ path, ...call }: Call) => {
    await using keyless = await DaemonUnderTest.start({ tls: { enable: false } });
    const { path: own } = await keyless.addImage(MiB);
    return await answerTo(keyless.daemon.address('remote'), { ...call, path: path.replace(image.path, own) });
  };

  function pathFor(operation: ImageOperation, status: number): string {
    if (status === 403) return `/images/${randomUUID()}`;
    if (status === 500) return broken.path;
    if (status === 507) return cramped?.path ?? '';
    if (status === 409) return hung?.path ?? '';
    return status === 400 && hasOnlyId(operation) ? '/images/%ff' : image.path;
  }

  const drive =
    (operation: ImageOperation, status: number): Drive =>
    async () => {
      // The answer ends with the ticket.
      const followed = operation === 'followTicket' && status === 200;
      const path = followed ? (await fixture.addImage(MiB, { timeout: 1 })).path : pathFor(operation, status);
      const call = imageCall(operation, path, status);
      if (operation === 'getReceipt' && status === 404) return answerFromKeyless(call);
      return status === 503 ? stopping.answerTo(call) : send(call);
    };
  const statuses: Readonly<Record<ImageOperation, readonly number[]>> = {
    getImageOptions: [200, 400, 403, 431, 500, 501, 503],
    readImage: [200, 206, 400, 403, 416, 431, 500, 501, 503],
    headImage: [200, 206, 400, 403, 416, 431, 500, 501, 503],
    writeImage: [200, 400, 403, 408, 415, 416, 431, 500, 501, 503, 507],
    patchImage: [200, 202, 400, 403, 408, 413, 415, 416, 431, 500, 501, 503, 507],
    listImageExtents: [200, 400, 403, 404, 431, 500, 501, 503],
    getImageChecksum: [200, 202, 400, 403, 409, 431, 500, 501, 503],
    listBlockDigests: [200, 202, 400, 403, 416, 431, 500, 501, 503],
    listChecksumAlgorithms: [200, 400, 431, 501, 503],
    getReceipt: [200, 202, 400, 403, 404, 409, 431, 500, 501, 503],
    listReceivedRanges: [200, 400, 403, 431, 501, 503],
    preflightImage: [200, 400, 403, 431, 501, 503],
    listImageJobs: [200, 400, 403, 431, 501, 503],
    getImageJob: [200, 400, 403, 404, 431, 501, 503],
    cancelImageJob: [204, 400, 403, 404, 409, 431, 501, 503],
    followImageJob: [200, 400, 403, 404, 431, 501, 503],
    listJobDigests: [200, 400, 403, 404, 409, 431, 501, 503],
    followTicket: [200, 400, 403, 431, 501, 503],
  };
  const info = (status: number): Call => ({
    method: 'GET',
    path: '/info',
    headers: status === 431 ? [`X-Padding: ${'x'.repeat(16 * 1024)}`] : [],
  });

  testContract(
    'daemon',
    {
      ...Object.fromEntries(
        imageOperations.map((operation) => [
          operation,
          Object.fromEntries(statuses[operation].map((status) => [status, drive(operation, status)])),
        ]),
      ),
      getInfo: {
        200: () => send(info(200)),
        431: () => send(info(431)),
        501: () => send(inUnknownFraming(info(501))),
        503: () => stopping.answerTo(info(503)),
      },
    },
    (status) => (status === 507 ? needsFullStorage() : status === 409 && needsHangingStorage()),
  );
});
