import { createRequire } from 'node:module';
import { SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { HttpApplication } from './http-application.js';

const require = createRequire(import.meta.url);

/** The committed contracts, by name. */
export const contractNames = ['proxy', 'daemon', 'control'] as const;

/**
 * Mounts Swagger UI with all contracts in one selector. To be called before the application is initialised. Everything comes from this
 * package: it works on hosts without internet.
 */
export function mountSwaggerUi({ nest }: HttpApplication, path: string): void {
  const fastify = nest.getHttpAdapter().getInstance();
  for (const name of contractNames) {
    const contract = require(`ovirt-imageio/openapi/${name}.json`) as OpenAPIObject;
    fastify.get(`${path}/${name}.json`, async () => contract);
  }
  SwaggerModule.setup(path, nest, require('ovirt-imageio/openapi/proxy.json') as OpenAPIObject, {
    raw: false,
    customSiteTitle: 'ovirt-imageio',
    explorer: true,
    swaggerOptions: {
      urls: contractNames.map((name) => ({ name, url: `${path}/${name}.json` })),
      persistAuthorization: true,
    },
  });
}
