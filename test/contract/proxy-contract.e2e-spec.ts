import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { Deployment } from '../e2e/deployment.js';
import { answerTo, inUnknownFraming, type Call } from './call.js';
import { testContract, type Drive } from './drive.js';
import { hangingStorage, needsHangingStorage } from './hanging-storage.js';
import { Workspace } from '../nbd/servers.js';
import { FullStorage, needsFullStorage } from './full-storage.js';
import { beginJobs, hasOnlyId, imageCall, imageOperations, type ImageOperation } from './image-calls.js';
import { impatient, patientGrace, StoppingService } from './stopping-service.js';

// All operations: those of images, of sessions, of signed tickets, and info.
const operationCount = imageOperations.length + 8;
const padding = [`X-Padding: ${'x'.repeat(16 * 1024)}`];

describe('the contract of the proxy', () => {
  let deployment: Deployment;
  let stoppingDeployment: Deployment;
  let stopping: StoppingService;
  let full: FullStorage | undefined;
  let silentDaemon: Server;
  /** Tells nobody of this address any more what is wrong with a credential. */
  let strict: Deployment;
  const tickets = { image: '', broken: '', cramped: '', hung: '' };
  let workspace: Workspace;

  before(async () => {
    // The proxy gives up on it in the middle of the handshake, which may come as a reset.
    silentDaemon = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
    await once(silentDaemon, 'listening');
    deployment = await Deployment.start({
      daemon: { control: { remove_timeout: 1 } },
      proxy: {
        ...impatient,
        // How long the silence of a client of a session may last.
        daemon: { inactivity_timeout: 3 },
        // The daemon that is silent does not get beyond the handshake.
        proxy: { imaged_connection_timeout_sec: 3 },
      },
    });
    const { folder } = deployment;
    const file = folder.file('image.raw');
    await writeFile(file, Buffer.alloc(MiB, 'x'));
    tickets.image = await deployment.addTicket('write', file, MiB);
    await beginJobs(`/images/${tickets.image}`, withTicket(signed(tickets.image)), send);
    workspace = await Workspace.create();
    if (needsHangingStorage() === false) {
      const { url, sizeBytes } = await hangingStorage(workspace);
      tickets.hung = randomUUID();
      await deployment.daemon.vdsm.addTicket({
        uuid: tickets.hung,
        size: sizeBytes,
        ops: ['write'],
        timeout: 300,
        url,
      });
      await begin(tickets.hung);
    }
    tickets.broken = await deployment.addTicket('write', folder.file('none'), MiB);
    if (needsFullStorage() === false) {
      full = new FullStorage(folder.path);
      const cramped = join(full.path, 'image.raw');
      await writeFile(cramped, 'x');
      tickets.cramped = await deployment.addTicket('write', cramped, 16 * MiB);
    }
    strict = await Deployment.start({
      proxy: {
        limits: { failed_authentications_per_address: 1, failed_authentications_per_sec: 0.001 },
      },
    });
    await sendToStrict({ method: 'DELETE', path: `/sessions/${randomUUID()}` });
    stoppingDeployment = await Deployment.start({ proxy: patientGrace });
    stopping = await StoppingService.begin(
      stoppingDeployment.proxy,
      stoppingDeployment.proxy.address('remote'),
      { method: 'PUT', path: '/tickets', body: stoppingDeployment.signTicket(randomUUID()) },
      operationCount,
    );
  });
  after(async () => {
    await stopping.end();
    await strict[Symbol.asyncDispose]();
    await stoppingDeployment[Symbol.asyncDispose]();
    await deployment.daemon.stop();
    full?.[Symbol.dispose]();
    await workspace[Symbol.asyncDispose]();
    await deployment[Symbol.asyncDispose]();
    silentDaemon.close();
  });

  /** Begins the first job of a ticket. */
  const begin = (ticketId: string) =>
    send(imageCall('patchImage', `/images/${ticketId}`, 202, withTicket(signed(ticketId))));
  const send = (call: Call) => answerTo(deployment.proxy.address('remote'), call);
  const sendToStrict = (call: Call) => answerTo(strict.proxy.address('remote'), call);
  const signed = (ticketId: string, imagedUri = deployment.daemon.url): string =>
    deployment.engine.signTransfer({ ticketId, imagedUri });
  const withTicket = (ticket: string): string[] => [`Authorization: ${ticket}`];

  /** What authorises an image request for which the service is to answer with `status`. */
  function credential(status: number, ticketId: string): string[] {
    if (status === 401 || status === 429) return [];
    if (status === 403) return [`Session-Id: ${randomUUID()}`];
    // Nothing listens on port 1.
    if (status === 502) return withTicket(signed(ticketId, 'https://localhost:1'));
    const { port } = silentDaemon.address() as AddressInfo;
    if (status === 504) return withTicket(signed(ticketId, `https://localhost:${port}`));
    return withTicket(signed(ticketId));
  }

  function ticketFor(status: number): string {
    if (status === 500) return tickets.broken;
    if (status === 507) return tickets.cramped;
    if (status === 409) return tickets.hung;
    // One that the daemon knows is authorised by its id at the daemon only.
    return status === 401 || status === 403 || status === 429 ? randomUUID() : tickets.image;
  }

  const driveImage =
    (operation: ImageOperation, status: number): Drive =>
    async () => {
      // The answer ends with the ticket.
      const followed = operation === 'followTicket' && status === 200;
      const ticketId = followed
        ? await deployment.addTicket('write', deployment.folder.file('image.raw'), MiB, { timeout: 1 })
        : ticketFor(status);
      const path = status === 400 && hasOnlyId(operation) ? `/images/${randomUUID()}` : `/images/${ticketId}`;
      const call = imageCall(operation, path, status, credential(status, ticketId));
      if (status === 429) return sendToStrict(call);
      if (operation === 'getReceipt' && status === 404) return answerWithoutKey(operation);
      return status === 503 ? stopping.answerTo(call) : send(call);
    };
  /** Through a proxy, from a daemon that has no key. */
  const answerWithoutKey = async (operation: ImageOperation) => {
    const tls = { enable: false };
    await using keyless = await Deployment.start({ daemon: { tls }, proxy: { tls } });
    const file = keyless.folder.file('image.raw');
    await writeFile(file, Buffer.alloc(MiB, 'x'));
    const ticketId = await keyless.addTicket('write', file, MiB);
    // Signed tickets would want TLS.
    const url = `${keyless.daemon.url}/images/${ticketId}`;
    await keyless.proxy.vdsm.addTicket({ uuid: ticketId, size: MiB, ops: ['write'], timeout: 300, url });
    const call = imageCall(operation, `/images/${ticketId}`, 404);
    return await answerTo(keyless.proxy.address('remote'), call);
  };
  const relayed = [401, 403, 429, 431, 500, 501, 502, 503, 504];
  const withoutStorage = relayed.filter((status) => status !== 500);
  const imageStatuses: Readonly<Record<ImageOperation, readonly number[]>> = {
    getImageOptions: [200, 400, ...relayed],
    readImage: [200, 206, 400, 416, ...relayed],
    headImage: [200, 206, 400, 416, ...relayed],
    writeImage: [200, 400, 408, 415, 416, 507, ...relayed],
    patchImage: [200, 202, 400, 408, 413, 415, 416, 507, ...relayed],
    listImageExtents: [200, 400, 404, ...relayed],
    getImageChecksum: [200, 202, 400, 409, ...relayed],
    listBlockDigests: [200, 202, 400, 416, ...relayed],
    listChecksumAlgorithms: [200, 400, ...withoutStorage],
    getReceipt: [200, 202, 400, 404, 409, ...relayed],
    listReceivedRanges: [200, 400, ...withoutStorage],
    preflightImage: [200, 400, ...withoutStorage],
    listImageJobs: [200, 400, ...withoutStorage],
    getImageJob: [200, 400, 404, ...withoutStorage],
    cancelImageJob: [204, 400, 404, 409, ...withoutStorage],
    followImageJob: [200, 400, 404, ...withoutStorage],
    listJobDigests: [200, 400, 404, 409, ...withoutStorage],
    followTicket: [200, 400, ...withoutStorage],
  };

  /** What every operation of the proxy itself may get. */
  const anyway = (call: () => Call): Readonly<Record<number, Drive>> => ({
    431: () => send({ ...call(), headers: padding }),
    501: () => send(inUnknownFraming(call())),
    503: () => stopping.answerTo(call()),
  });
  const simple = (method: string, path: string) => (): Call => ({ method, path });
  const openSession = (): Call => ({
    method: 'POST',
    path: '/sessions',
    headers: withTicket(signed(tickets.image)),
    body: '',
  });
  const put =
    (path: string, body = () => signed(tickets.image)) =>
    (): Call => ({ method: 'PUT', path, headers: ['Content-Type: text/plain'], body: body() });
  const putById = (): Call => put(`/tickets/${tickets.image}`)();
  const notSigned = (call: Call): Call => ({ ...call, body: 'bm90IHNpZ25lZA==' });
  const refusedPuts = (call: () => Call): Readonly<Record<number, Drive>> => ({
    403: () => send(notSigned(call())),
    408: () => send({ ...call(), stalls: true }),
    413: () => send({ ...call(), body: 'x'.repeat(65_537) }),
    415: () => send({ ...call(), headers: ['Content-Encoding: gzip'] }),
    429: () => sendToStrict(notSigned(call())),
  });
  const drop = simple('DELETE', `/tickets/${randomUUID()}`);
  const endSession = simple('DELETE', `/sessions/${randomUUID()}`);

  testContract(
    'proxy',
    {
      ...Object.fromEntries(
        imageOperations.map((operation) => [
          operation,
          Object.fromEntries(
            imageStatuses[operation].map((status) => [status, driveImage(operation, status)]),
          ),
        ]),
      ),
      getInfo: { 200: () => send(simple('GET', '/info')()), ...anyway(simple('GET', '/info')) },
      openSession: {
        200: () => send(openSession()),
        401: () => send({ ...openSession(), headers: [] }),
        429: () => sendToStrict({ ...openSession(), headers: [] }),
        ...anyway(openSession),
      },
      deleteSession: {
        204: async () => {
          const { headers } = await send(openSession());
          return send({ method: 'DELETE', path: `/sessions/${headers['session-id'] ?? ''}` });
        },
        400: () => send(simple('DELETE', '/sessions/%ff')()),
        404: () => send(endSession()),
        429: () => sendToStrict(endSession()),
        ...anyway(endSession),
      },
      getSessionsOptions: {
        204: () => send(simple('OPTIONS', '/sessions')()),
        ...anyway(simple('OPTIONS', '/sessions')),
      },
      getSessionOptions: {
        204: () => send(simple('OPTIONS', '/sessions/any')()),
        400: () => send(simple('OPTIONS', '/sessions/%ff')()),
        ...anyway(simple('OPTIONS', '/sessions/any')),
      },
      putSignedTicket: {
        200: () => send(put('/tickets')()),
        400: () => send(put('/tickets/%ff')()),
        ...refusedPuts(put('/tickets')),
        ...anyway(put('/tickets')),
      },
      putSignedTicketById: {
        200: () => send(putById()),
        400: () => send(put(`/tickets/${randomUUID()}`)()),
        ...refusedPuts(putById),
        ...anyway(putById),
      },
      deleteSignedTicket: {
        204: async () => {
          await send(putById());
          return send(simple('DELETE', `/tickets/${tickets.image}`)());
        },
        400: () => send(simple('DELETE', '/tickets/%ff')()),
        404: () => send(drop()),
        429: () => sendToStrict(drop()),
        ...anyway(drop),
      },
    },
    (status) => (status === 507 ? needsFullStorage() : status === 409 && needsHangingStorage()),
  );
});
