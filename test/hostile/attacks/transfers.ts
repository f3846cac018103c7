import { randomUUID } from 'node:crypto';
import { Vdsm } from '../../support/vdsm.js';
import {
  type Attack,
  type AttackContext,
  connect,
  count,
  head,
  type Port,
  repeat,
  requestOnce,
  untilClosed,
} from '../attack.js';

const unreadDownloads = 112;
const tricklingUploads = 60;
const uploadBytes = 1_000_000;
const trickleMilliseconds = 5000;
const checksums = 40;

/** Asks for an image and reads nothing of it. */
async function stall(
  context: AttackContext,
  port: Port,
  request: string,
  milliseconds: number,
): Promise<void> {
  const socket = await connect(context, port);
  socket.pause();
  socket.write(request);
  count(context.tally, 'stalled downloads');
  await untilClosed(socket, milliseconds, context.signal);
  socket.destroy();
}

/**
 * One ticket asks for all the buffers that there are: unread downloads, uploads of a byte
 * now and then, endless checksums.
 */
export const greedyTicket: Attack = {
  name: 'one ticket that wants all buffers',
  async run(context) {
    const { target, signal, tally } = context;
    const path = `/images/${target.imageTicket}`;
    const downloads = Array.from({ length: unreadDownloads }, () =>
      repeat(context, 1000, () => stall(context, target.daemon, head('GET', path), 30_000)),
    );
    const uploads = Array.from({ length: tricklingUploads }, () =>
      repeat(context, 1000, async () => {
        const socket = await connect(context, target.daemon);
        socket.resume();
        socket.write(head('PUT', path, `Content-Length: ${uploadBytes}`));
        count(tally, 'trickling uploads');
        for (let sent = 0; sent < 10 && !socket.destroyed && !signal.aborted; sent += 1) {
          socket.write('x');
          await untilClosed(socket, trickleMilliseconds, signal);
        }
        socket.destroy();
      }),
    );
    const sums = Array.from({ length: checksums }, () =>
      repeat(context, 2000, () =>
        requestOnce(context, target.daemon, head('GET', `/images/${target.sparseTicket}/checksum`), 20_000),
      ),
    );
    await Promise.all([...downloads, ...uploads, ...sums]);
  },
};

const hungDownloads = 8;
const patienceMilliseconds = 1000;

/** Downloads from storage that hangs, given up after a second each time, and the removal of such tickets. */
export const hungStorage: Attack = {
  name: 'storage that hangs',
  async run(context) {
    const { target, tally } = context;
    const vdsm = new Vdsm({ kind: 'unix', path: target.controlSocket });
    const addTicket = async (url: string): Promise<string> => {
      const uuid = randomUUID();
      await vdsm.addTicket({ uuid, size: 2 ** 26, ops: ['write'], timeout: 300, url });
      return uuid;
    };
    const remove = async (ticketId: string): Promise<void> => {
      const startedAt = performance.now();
      await vdsm.removeTicket(ticketId);
      const milliseconds = Math.round(performance.now() - startedAt);
      tally['slowest removal, ms'] = Math.max(tally['slowest removal, ms'] ?? 0, milliseconds);
    };
    const hungReads = await addTicket(target.hungNbdUrl);
    const reads = Array.from({ length: hungDownloads }, () =>
      repeat(context, 100, () =>
        requestOnce(context, target.daemon, head('GET', `/images/${hungReads}`), patienceMilliseconds),
      ),
    );
    const removals = repeat(context, 2000, async () => {
      const ticketId = await addTicket(target.silentNbdUrl);
      const asked = requestOnce(context, target.daemon, head('GET', `/images/${ticketId}`), 5000);
      // It fails when the service closes the connection, which may be before anybody waits for it.
      asked.catch(() => undefined);
      await untilAsked();
      await remove(ticketId);
      await asked.catch(() => undefined);
      count(tally, 'removals');
    });
    await Promise.all([...reads, removals]);
    await remove(hungReads);
  },
};

/** Long enough for a request to reach storage; when it has not, the removal is only an easier one. */
async function untilAsked(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 300));
}

const stalledAtProxy = 300;

/** Fills the proxy with downloads that nobody reads, and with sessions. */
export const greedySession: Attack = {
  name: 'one session that wants all of the proxy',
  async run(context) {
    const { target, tally } = context;
    const authorization = `Authorization: ${target.signedTicket}`;
    const downloads = Array.from({ length: stalledAtProxy }, () =>
      repeat(context, 2000, () =>
        stall(context, target.proxy, head('GET', `/images/${target.imageTicket}`, authorization), 30_000),
      ),
    );
    const sessions = repeat(context, 50, async () => {
      count(tally, 'sessions asked for');
      await requestOnce(
        context,
        target.proxy,
        head('POST', '/sessions/', authorization, 'Content-Length: 0'),
      );
    });
    await Promise.all([...downloads, sessions]);
  },
};
