import type { DynamicModule } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Role } from '../config/role.js';
import { createApplication, initialise } from '../framework/http-application.js';
import { mountSwaggerUi } from '../framework/swagger-ui.js';
import { mountTransferPage } from '../framework/transfer-page.js';
import type { RoleInputs } from './role-inputs.js';

/** The module of each role; a process loads that of its own role alone. */
const roleModules: Readonly<Record<Role, () => Promise<{ of(inputs: RoleInputs): DynamicModule }>>> = {
  daemon: async () => (await import('./daemon.module.js')).DaemonModule,
  proxy: async () => (await import('./proxy.module.js')).ProxyModule,
};

/** All that makes a role, with what it is to be made of. */
export async function roleModule(role: Role, inputs: RoleInputs): Promise<DynamicModule> {
  const module = await roleModules[role]();
  return module.of(inputs);
}

/**
 * A role that can answer; its listeners are not bound yet.
 * @throws Error naming what is wrong with a file or an option, or with a ticket that was to be installed
 */
export async function createRole(role: Role, inputs: RoleInputs): Promise<NestFastifyApplication> {
  const { docs, limits, transferPage } = inputs.config;
  const application = await createApplication(await roleModule(role, inputs), limits, inputs.logger);
  if (docs.enable) mountSwaggerUi(application.getHttpAdapter(), docs.path, role);
  if (transferPage.enable) mountTransferPage(application.getHttpAdapter());
  await initialise(application);
  return application;
}
