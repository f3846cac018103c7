import { connect as connectNet } from 'node:net';
import { once } from 'node:events';
import { type Attack, connect, count, head, repeat, untilClosed } from '../attack.js';

const handshakeStarts = [
  Buffer.alloc(0),
  Buffer.from('16030100', 'hex'),
  Buffer.from('160301020001000000', 'hex'),
];

/**
 * Connections that end before their TLS handshake does, as those of a balancer's check do:
 * by FIN, by RST, or not at all.
 */
export const brokenHandshakes: Attack = {
  name: 'handshakes that never end',
  async run(context) {
    const { target, random, signal } = context;
    await Promise.all(
      Array.from({ length: 3 }, () =>
        repeat(context, 50, async () => {
          const { port } = random.of([target.daemon, target.proxy]);
          const socket = connectNet({
            host: '127.0.0.1',
            port,
            localAddress: `127.0.5.${1 + random.below(8)}`,
          });
          socket.on('error', () => socket.destroy());
          await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
          socket.write(random.of(handshakeStarts));
          count(context.tally, 'connections');
          const end = random.below(3);
          if (end === 0) socket.end();
          else if (end === 1) socket.resetAndDestroy();
          else void untilClosed(socket, 15_000, signal).then(() => socket.destroy());
        }),
      ),
    );
  },
};

const heldConnections = 120;

/** Takes the places of others: connections that say nothing, or one word now and then. */
export const heldSlots: Attack = {
  name: 'connections that hold their places',
  async run(context) {
    const { target, random, signal } = context;
    await Promise.all(
      Array.from({ length: heldConnections }, (_, index) =>
        repeat(context, 2000, async () => {
          const socket = await connect(context, random.of([target.daemon, target.proxy]));
          count(context.tally, 'connections');
          socket.resume();
          if (index % 2 === 0) await untilClosed(socket, 60_000, signal);
          while (!socket.destroyed && !signal.aborted) {
            socket.write(head('GET', '/info/'));
            await untilClosed(socket, 10_000, signal);
          }
          socket.destroy();
        }),
      ),
    );
  },
};
