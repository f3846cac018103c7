// The least that idle streams of events cost: a server of Node's own with nothing around it. It answers each
// request with a head, one event and then comments. Arguments: where to listen, as a path or `tls`, and for
// TLS the files of key and certificate. Prints where it listens.
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

/** As often as the service sends one. */
const commentSeconds = 15;

const [place = '', keyFile = '', certFile = ''] = process.argv.slice(2);
const isTls = place === 'tls';
const open = new Set<ServerResponse>();
const server = isTls
  ? createHttpsServer({ key: readFileSync(keyFile), cert: readFileSync(certFile) })
  : createHttpServer();
server.on('request', (_request, response: ServerResponse) => {
  open.add(response);
  response.once('close', () => open.delete(response));
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  response.write('event: progress\ndata: {}\n\n');
});
setInterval(() => {
  for (const response of open) response.write(':\n\n');
}, commentSeconds * 1000);
server.listen(isTls ? { host: '127.0.0.1', port: 0 } : { path: place }, () => {
  console.log(`listening ${isTls ? (server.address() as AddressInfo).port : place}`);
});
