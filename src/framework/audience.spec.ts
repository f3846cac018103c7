import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test, type TestContext } from 'node:test';
import { Controller, Get, Module, type Type } from '@nestjs/common';
import pino from 'pino';
import { buildConfig } from '../config/build-config.js';
import type { Audience } from '../wire/audience.js';
import { ClientConnection } from '../wire/client-connection.js';
import { Exchange } from '../wire/exchange.js';
import { listenerLimits } from '../../test/support/listener-limits.js';
import { ServedTo } from './audience.js';
import { createApplication, initialise, type ServiceAdapter } from './http-application.js';
import { SettingsModule } from './settings.module.js';

@ServedTo('control')
@Controller('things')
class ControlController {
  @Get()
  answer(): string {
    return 'control';
  }
}

@ServedTo('network')
@Controller('things')
class NetworkController {
  @Get()
  answer(): string {
    return 'network';
  }
}

@Controller('others')
class UnboundController {
  @Get()
  answer(): string {
    return 'anybody';
  }
}

async function start(t: TestContext, ...controllers: Type[]): Promise<ServiceAdapter> {
  @Module({})
  class TestModule {}
  const { config } = buildConfig('daemon', []);
  const logger = pino({ level: 'silent' });
  const module = { module: TestModule, imports: [SettingsModule.of(config, logger)], controllers };
  const application = await createApplication(module, config.limits, logger);
  t.after(() => application.close());
  await initialise(application);
  return application.getHttpAdapter() as ServiceAdapter;
}

/** Asks for `/things` as somebody who came in where `audience` does. */
async function ask(t: TestContext, adapter: ServiceAdapter, audience: Audience): Promise<Response> {
  const server = createServer((request, response) => {
    const connection = ClientConnection.accept(request.socket, listenerLimits);
    const exchange = new Exchange(request, response, connection, {
      expectsContinue: false,
      listener: 'test',
      strangerRecords: { write: () => undefined },
      retryAfterSeconds: 5,
    });
    exchange.audience = audience;
    adapter.handle(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  return fetch(`http://127.0.0.1:${port}/things`);
}

test('a request reaches the routes of its audience alone, though others have the same path', async (t) => {
  const adapter = await start(t, ControlController, NetworkController);
  assert.equal(await (await ask(t, adapter, 'network')).text(), 'network');
  assert.equal(await (await ask(t, adapter, 'control')).text(), 'control');
  assert.equal((await ask(t, adapter, 'relayed')).status, 404);
});

test('a route that is for nobody in particular stops the start', async (t) => {
  await assert.rejects(start(t, UnboundController), /GET \/others does not say whom it is for/);
});
