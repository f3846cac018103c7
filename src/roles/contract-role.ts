import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { buildConfig } from '../config/build-config.js';
import type { Role } from '../config/role.js';
import { createLogger } from '../log/logger.js';
import { createRole } from './role.js';

/** A role as it serves, for reading the contract off its routes: it needs no file and binds no socket. */
export async function createContractRole(role: Role): Promise<NestFastifyApplication> {
  const off = (section: string): Parameters<typeof buildConfig>[1][number] => ({
    section,
    option: 'enable',
    value: 'false',
    origin: 'the generator of the contract',
  });
  const { config } = buildConfig(role, [off('tls'), off('docs'), off('transfer_page'), off('metrics')]);
  const logger = createLogger({ level: 'silent', format: 'json', recordBytesMax: 2048 });
  return createRole(role, { config, logger, ticketFiles: [] });
}
