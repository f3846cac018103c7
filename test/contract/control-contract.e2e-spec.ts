import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { DaemonUnderTest } from '../e2e/daemon-under-test.js';
import type { RawAnswer } from '../e2e/raw-answers.js';
import { Workspace } from '../nbd/servers.js';
import { hangingStorage, needsHangingStorage } from './hanging-storage.js';
import { FrozenStorage, needsFrozenStorage } from '../e2e/frozen-storage.js';
import { RawSocket } from '../support/raw-socket.js';
import { answerTo, inUnknownFraming, bytesOf, type Call } from './call.js';
import { testContract, type Drive } from './drive.js';
import { impatient, patientGrace, StoppingService } from './stopping-service.js';

const operationCount = 12;
const padding = [`X-Padding: ${'x'.repeat(16 * 1024)}`];

describe('the contract of the control service', () => {
  let fixture: DaemonUnderTest;
  let stoppingWorld: DaemonUnderTest;
  let stopping: StoppingService;
  let removedAll: RawAnswer;
  let frozen: FrozenStorage | undefined;
  let upload: RawSocket | undefined;
  let workspace: Workspace;
  /** Accepts connections, and says nothing on them. */
  let silent: Server;
  /** Between images of its own, as other tests remove all tickets. */
  const begin = async (change: object): Promise<RawAnswer> => {
    const source = await fixture.addImage(Buffer.alloc(8192, 'x'));
    const target = await fixture.addImage(8192);
    const body = JSON.stringify({ source: source.id, target: target.id, ...change });
    return answerTo(fixture.daemon.address('control'), { ...copy, body });
  };
  /** For an image of another daemon, which should be at that port of this host. */
  const ticketAt = async (port: number): Promise<string> => {
    const url = `https://localhost:${port}/images/x`;
    return (await fixture.addImage(undefined, { size: 8192, url })).id;
  };
  const busyId = 'busy';
  const id = 'idle/with a slash';

  before(async () => {
    fixture = await DaemonUnderTest.start({
      ...impatient,
      control: { remove_timeout: 1 },
      proxy: { imaged_connection_timeout_sec: 0.5 },
    });
    silent = createServer((socket) => socket.on('error', () => undefined).resume()).listen(0, 'localhost');
    await once(silent, 'listening');
    if (needsFrozenStorage() === false) {
      frozen = await FrozenStorage.mount(fixture.folder.path);
      const file = join(frozen.path, 'image.raw');
      await writeFile(file, Buffer.alloc(4096));
      const busy = await fixture.addImage(undefined, { uuid: busyId, size: 4096, url: `file://${file}` });
      upload = await fixture.connect();
      await upload.send(bytesOf({ method: 'OPTIONS', path: busy.path }));
      await upload.readUntil('}');
      await frozen.freeze();
      await upload.send(bytesOf({ method: 'PUT', path: busy.path, body: 'x'.repeat(4096) }));
      await frozen.holds(fixture.daemon.program.pid);
    }
    await begin({});
    workspace = await Workspace.create();
    if (needsHangingStorage() === false) {
      const { url, sizeBytes } = await hangingStorage(workspace);
      const hung = await fixture.addImage(undefined, { size: sizeBytes, url });
      await begin({ target: hung.id });
    }
    stoppingWorld = await DaemonUnderTest.start(patientGrace);
    // Here, as the other daemon has a ticket that cannot be removed.
    removedAll = await answerTo(stoppingWorld.daemon.address('control'), removeAll);
    stopping = await StoppingService.begin(
      stoppingWorld.daemon,
      stoppingWorld.daemon.address('control'),
      { method: 'PUT', path: '/tickets/t', body: ticket('t') },
      operationCount,
    );
  });
  after(async () => {
    silent.close();
    await stopping.end();
    await stoppingWorld[Symbol.asyncDispose]();
    await frozen?.thaw();
    await workspace[Symbol.asyncDispose]();
    await fixture.daemon.stop();
    await frozen?.[Symbol.asyncDispose]();
    await fixture[Symbol.asyncDispose]();
  });

  const ticket = (uuid: string, more: object = {}): string =>
    JSON.stringify({ uuid, size: MiB, ops: ['read'], timeout: 300, url: 'file:///image', ...more });
  const path = (ticketId: string): string => `/tickets/${encodeURIComponent(ticketId)}`;

  const send =
    (call: Call): Drive =>
    () =>
      answerTo(fixture.daemon.address('control'), call);
  /** To a ticket that is there, which another test may have removed. */
  const sendToTicket =
    (call: Call): Drive =>
    async () => {
      await fixture.vdsm.addTicket(ticket(id, { filename: 'disk.raw' }));
      return answerTo(fixture.daemon.address('control'), call);
    };
  /** What every operation may get. */
  const anyway = (call: Call): Readonly<Record<number, Drive>> => ({
    403: send({ ...call, headers: ['Origin: https://example.com'] }),
    431: send({ ...call, headers: padding }),
    501: send(inUnknownFraming(call)),
    503: () => stopping.answerTo(call),
  });
  const malformedId = '/tickets/%ff';
  const list: Call = { method: 'GET', path: '/tickets' };
  const show: Call = { method: 'GET', path: path(id) };
  const follow: Call = { method: 'GET', path: '/tickets/events' };
  const ranges: Call = { method: 'GET', path: `${path(id)}/ranges` };
  const put: Call = { method: 'PUT', path: path('new'), body: ticket('new') };
  const extend: Call = { method: 'PATCH', path: path(id), body: '{"timeout": 300}' };
  const remove: Call = { method: 'DELETE', path: path(randomUUID()) };
  const removeAll: Call = { method: 'DELETE', path: '/tickets' };
  const copy: Call = { method: 'POST', path: '/copies', body: '{"source": "none", "target": "none"}' };
  const sendCopy =
    (change: () => object | Promise<object> = () => ({})): Drive =>
    async () =>
      begin(await change());
  const listCopies: Call = { method: 'GET', path: '/copies' };
  // The first copy has ended, or will soon, and the second one never does.
  const showCopy: Call = { method: 'GET', path: '/copies/1' };
  const cancelCopy: Call = { method: 'DELETE', path: '/copies/1' };
  const tooLarge = `"${'x'.repeat(65_536)}"`;

  testContract(
    'control',
    {
      listTickets: { 200: send(list), ...anyway(list) },
      getTicket: {
        200: sendToTicket(show),
        400: send({ ...show, path: malformedId }),
        404: send({ ...show, path: path('none') }),
        ...anyway(show),
      },
      followTickets: {
        // Without `Accept: text/event-stream`, whose answer would not end.
        200: async () => {
          await fixture.vdsm.addTicket(ticket('events'));
          return answerTo(fixture.daemon.address('control'), follow);
        },
        404: async () => {
          await fixture.vdsm.removeTicket('events');
          return answerTo(fixture.daemon.address('control'), follow);
        },
        ...anyway(follow),
      },
      listTicketRanges: {
        200: sendToTicket(ranges),
        400: send({ ...ranges, path: `${path(id)}/ranges?limit=0` }),
        404: send({ ...ranges, path: `${path('none')}/ranges` }),
        ...anyway(ranges),
      },
      putTicket: {
        200: send(put),
        400: send({ ...put, body: ticket('new', { size: -1 }) }),
        408: send({ ...put, stalls: true }),
        409: send({ ...put, path: path(busyId), body: ticket(busyId) }),
        413: send({ ...put, body: tooLarge }),
        415: send({ ...put, headers: ['Content-Encoding: gzip'] }),
        ...anyway(put),
      },
      extendTicket: {
        200: sendToTicket(extend),
        400: send({ ...extend, body: '{"timeout": -1}' }),
        404: send({ ...extend, path: path('none') }),
        408: send({ ...extend, stalls: true }),
        413: send({ ...extend, body: tooLarge }),
        415: send({ ...extend, headers: ['Content-Encoding: gzip'] }),
        ...anyway(extend),
      },
      removeTicket: {
        204: send(remove),
        400: send({ ...remove, path: malformedId }),
        409: send({ ...remove, path: path(busyId) }),
        ...anyway(remove),
      },
      removeAllTickets: {
        204: async () => removedAll,
        409: send(removeAll),
        ...anyway(removeAll),
      },
      beginCopy: {
        202: sendCopy(),
        400: sendCopy(() => ({ target: 1 })),
        404: sendCopy(() => ({ source: 'none' })),
        408: send({ ...copy, stalls: true }),
        413: send({ ...copy, body: tooLarge }),
        415: send({ ...copy, headers: ['Content-Encoding: gzip'] }),
        416: sendCopy(async () => ({ target: (await fixture.addImage(4096)).id })),
        500: sendCopy(async () => ({ source: (await fixture.addImage(undefined, { size: 8192 })).id })),
        502: sendCopy(async () => ({ source: await ticketAt(1) })),
        504: sendCopy(async () => ({ source: await ticketAt((silent.address() as AddressInfo).port) })),
        ...anyway(copy),
      },
      listCopies: { 200: send(listCopies), ...anyway(listCopies) },
      getCopy: {
        200: send(showCopy),
        404: send({ ...showCopy, path: '/copies/999' }),
        ...anyway(showCopy),
      },
      cancelCopy: {
        204: send(cancelCopy),
        404: send({ ...cancelCopy, path: '/copies/999' }),
        409: send({ ...cancelCopy, path: '/copies/2' }),
        ...anyway(cancelCopy),
      },
    },
    (status) => status === 409 && (needsFrozenStorage() || needsHangingStorage()),
  );
});
