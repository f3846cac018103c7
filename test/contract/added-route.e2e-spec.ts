import { echoRoute } from './echo-route.js';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Injectable, Module, type INestApplication, type Type } from '@nestjs/common';
import pino from 'pino';
import { openApiDocument } from '../../src/contract/openapi-document.js';
import { InvalidRequestError } from '../../src/base/errors.js';
import type { Exchange } from '../../src/wire/exchange.js';
import {
  imageHandler,
  type AskedImage,
  type ImageHandler,
} from '../../src/images/operations/image-handler.js';
import { ImageOperations } from '../../src/images/transfer/image-operations.js';
import { ImagesModule } from '../../src/images/images.module.js';
import { RelayModule } from '../../src/relay/relay.module.js';
import { TICKET_STORE, type TicketStore } from '../../src/tickets/ticket.store.js';
import { RelayUnderTest } from '../relay/relay-under-test.js';
import { parseAddress } from '../support/address.js';
import { ImagesClient } from '../support/client.js';
import { writeRandomImage } from '../support/images.js';
import { Pki } from '../support/pki.js';
import { configWith, startRole, type RoleUnderTest } from '../support/role-under-test.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

@Injectable()
class EchoHandler implements ImageHandler {
  constructor(private readonly operations: ImageOperations) {}

  async handle(exchange: Exchange, { ticketId, query: { word } }: AskedImage): Promise<void> {
    if (typeof word !== 'string') throw new InvalidRequestError('There is no word');
    await this.operations.run(
      exchange,
      { ticketId, access: 'read', kind: 'options' },
      async ({ permit: { sizeBytes } }) => {
        exchange.send(200, {}, `${word} from ${ticketId}, ${sizeBytes} bytes`);
      },
    );
  }
}

const echoProviders = [EchoHandler, { provide: imageHandler(echoRoute.name), useExisting: EchoHandler }];

async function startDaemon(pki: Pki, providers: typeof echoProviders): Promise<RoleUnderTest> {
  // Adds to what the module registers.
  Module({ providers })(ImagesModule);
  const { keyFile, certFile } = await pki.issueHost('daemon');
  const config = configWith('daemon', {
    remote: { host: 'localhost', port: 0 },
    local: { enable: false },
    control: { enable: false },
    metrics: { enable: false },
    tls: { enable: true, keyFile, certFile },
  });
  return startRole('daemon', config, pino({ level: 'silent' }));
}

describe('a route that is added to the table', () => {
  const sizeBytes = 4096;
  const id = 'a/b';
  const path = `/images/${id}/echo?word=hello`;
  const expected = [200, `hello from ${id}, ${sizeBytes} bytes`];
  let folder: TemporaryFolder;
  let pki: Pki;
  let daemon: RoleUnderTest;
  let proxy: RelayUnderTest;
  let clientOfDaemon: ImagesClient;
  before(async () => {
    folder = await TemporaryFolder.create();
    pki = await Pki.create(folder.path);
    daemon = await startDaemon(pki, echoProviders);
    proxy = await RelayUnderTest.start(pki);
    clientOfDaemon = new ImagesClient(parseAddress(daemon.addressOf('remote'), pki.caPem));
    const image = join(folder.path, 'image');
    await writeRandomImage(image, sizeBytes);
    await daemon.application.get<TicketStore>(TICKET_STORE).add({
      id,
      size: BigInt(sizeBytes),
      ops: ['read'],
      timeoutSeconds: 300,
      inactivityTimeoutSeconds: 60,
      url: `file://${image}`,
      transferId: 'transfer-1',
      sparse: false,
      dirty: false,
    });
    const { port } = new URL(daemon.addressOf('remote'));
    await proxy.addTicket(`https://localhost:${port}`, { id, ops: ['write'] });
  });
  after(async () => {
    clientOfDaemon.close();
    await proxy[Symbol.asyncDispose]();
    await daemon.stop();
    await folder[Symbol.asyncDispose]();
  });

  test('is answered by its handler at a daemon, for an id with slashes too', async () => {
    const answer = await clientOfDaemon.request('GET', path);
    assert.deepEqual([answer.status, answer.text], expected);
  });

  test('is relayed by a proxy', async () => {
    const answer = await proxy.client().request('GET', path);
    assert.deepEqual([answer.status, answer.text], expected);
  });

  test('refuses a malformed query before it looks at the ticket', async () => {
    const answer = await clientOfDaemon.request('GET', '/images/unknown/echo');
    assert.deepEqual([answer.status, answer.text], [400, 'There is no word\n']);
    assert.equal((await clientOfDaemon.request('GET', '/images/unknown/echo?word=hello')).status, 403);
  });

  test('has no other methods', async () => {
    for (const client of [clientOfDaemon, proxy.client()]) {
      const { status, headers } = await client.request('PUT', path, { body: 'hello' });
      assert.deepEqual([status, headers.allow], [405, 'GET']);
    }
  });

  test('is in the contracts of daemon and proxy', () => {
    assert.deepEqual(describedEcho(daemon.application, ImagesModule), [echoRoute.name, '200,403,500,503']);
    const atProxy = '200,401,403,429,500,502,503,504';
    assert.deepEqual(describedEcho(proxy.application, RelayModule), [echoRoute.name, atProxy]);
  });

  test('stops the start when it has no handler', async () => {
    await assert.rejects(startDaemon(pki, []), /the handler of echoWord/);
  });
});

/** The name of the operation, and the statuses that it can have. */
function describedEcho(application: INestApplication, module: Type): readonly unknown[] {
  const texts = { title: '', summary: '', description: '' };
  const { paths } = openApiDocument(application, { ...texts, modules: [module], servers: [], tags: [] });
  const echo = paths['/images/{id}/echo']?.get;
  return [echo?.operationId, Object.keys(echo?.responses ?? {}).join()];
}
