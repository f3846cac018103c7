import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { buildConfig } from '../../src/config/build-config.js';
import type { Config } from '../../src/config/config.js';
import type { Role } from '../../src/config/role.js';
import { applicationOptions, initialise, ServiceAdapter } from '../../src/framework/http-application.js';
import { Service } from '../../src/roles/service.js';
import type { Logger } from '../../src/log/logger.js';
import { roleModule } from '../../src/roles/role.js';

/** The default configuration of a role with other values in some of its sections. */
export function configWith(
  role: Role,
  changes: { readonly [S in keyof Config]?: Partial<Config[S]> },
): Config {
  const { config } = buildConfig(role, []);
  const sections = Object.entries(changes).map(([name, values]) => [
    name,
    { ...config[name as keyof Config], ...values },
  ]);
  return { ...config, ...Object.fromEntries(sections) } as Config;
}

export interface RoleUnderTest {
  readonly application: NestFastifyApplication;
  /** Where a listener is bound, by its name. */
  addressOf(listener: string): string;
  stop(): Promise<void>;
}

/**
 * Runs a role in this process: the modules that ship, behind real sockets.
 * @param override puts test doubles of what surrounds the service in the place of providers
 */
export async function startRole(
  role: Role,
  config: Config,
  logger: Logger,
  override: (module: TestingModuleBuilder) => TestingModuleBuilder = (module) => module,
): Promise<RoleUnderTest> {
  const inputs = { config, logger, ticketFiles: [] };
  const module = await override(
    Test.createTestingModule({ imports: [await roleModule(role, inputs)] }),
  ).compile();
  const application = module.createNestApplication<NestFastifyApplication>(
    new ServiceAdapter(config.limits),
    applicationOptions(logger),
  );
  await initialise(application);
  const service = application.get(Service);
  await service.open();
  return {
    application,
    addressOf: (listener) => {
      const found = service.addresses.find(({ name }) => name === listener);
      if (found === undefined) throw new Error(`There is no ${listener} listener`);
      return found.address;
    },
    stop: async () => {
      await service.stop();
      await application.close();
    },
  };
}
