import { type Attack, connect, count, head, type Port, repeat, requestOnce, untilClosed } from '../attack.js';

const pipelinedConnections = 20;
const pipelinedBytes = 75_000;

/** Sends far more requests than anybody may have waiting and reads none of the answers. */
export const pipelining: Attack = {
  name: 'pipelining without reading',
  async run(context) {
    const { target, random } = context;
    const ports = [target.daemon, target.proxy, target.daemonMetrics, target.proxyMetrics];
    const flood = head('OPTIONS', '/images/*');
    const bytes = flood.repeat(Math.ceil(pipelinedBytes / flood.length));
    await Promise.all(
      Array.from({ length: pipelinedConnections }, () =>
        repeat(context, 1000, async () => {
          const socket = await connect(context, random.of(ports));
          socket.pause();
          socket.write(bytes);
          count(context.tally, 'floods');
          await untilClosed(socket, 5000, context.signal);
          socket.destroy();
        }),
      ),
    );
  },
};

const jsonConnections = 8;
const unknownKeys = JSON.stringify(
  Object.fromEntries(Array.from({ length: 4600 }, (_, index) => [`key${index}`, index])),
);
const nested = '['.repeat(2000) + ']'.repeat(2000);

/** Bodies that take long to parse or to validate, for images that no ticket is for. */
export const expensiveJson: Attack = {
  name: 'expensive JSON',
  async run(context) {
    const { target, random } = context;
    const requests = (port: Port): string[] => {
      const bodies = [unknownKeys, nested, '{"op":'];
      return bodies.flatMap((body) => [
        head('PATCH', '/images/x', `Content-Length: ${body.length}`) + body,
        head('PUT', '/tickets/', `Content-Length: ${body.length}`) + body,
        head(
          'POST',
          '/sessions/',
          `Authorization: ${Buffer.from(body).toString('base64').slice(0, 12_000)}`,
          `X-Port: ${port.port}`,
        ),
      ]);
    };
    await Promise.all(
      Array.from({ length: jsonConnections }, () =>
        repeat(context, 100, async () => {
          const port = random.of([target.daemon, target.proxy]);
          await requestOnce(context, port, random.of(requests(port)));
        }),
      ),
    );
  },
};

/** What a refusal without a ticket costs: log lines above all. */
export const refusals: Attack = {
  name: 'refused requests',
  async run(context) {
    const { target, random } = context;
    await Promise.all(
      Array.from({ length: 4 }, () =>
        repeat(context, 200, async () => {
          const socket = await connect(context, random.of([target.daemon, target.proxy]));
          for (let index = 0; index < 8 && !socket.destroyed; index += 1) {
            socket.write(head('GET', `/images/no-such-ticket-${random.below(1e6)}`));
            count(context.tally, 'requests');
          }
          await untilClosed(socket, 500, context.signal);
          socket.destroy();
        }),
      ),
    );
  },
};

const nonsense = [
  'GET /info/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
  'GET /info/ HTTP/2.0\r\nHost: a\r\n\r\n',
  'GET /info/ HTTP/0.9\r\nHost: a\r\n\r\n',
  'PUT /images/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
  'PUT /images/x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd',
  '\u0016\u0003\u0001\u0000\u0005hello',
  '\r\n\r\n\r\n\r\nGARBAGE\r\n\r\n',
];

/** Requests that are none, also without TLS at the TLS ports. */
export const malformed: Attack = {
  name: 'malformed requests',
  async run(context) {
    const { target, random } = context;
    await Promise.all(
      Array.from({ length: 2 }, () =>
        repeat(context, 100, async () => {
          const port = random.of([target.daemon, target.proxy, target.daemonMetrics]);
          await requestOnce(context, { ...port, tls: port.tls && random.below(3) > 0 }, random.of(nonsense));
        }),
      ),
    );
  },
};
