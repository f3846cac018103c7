import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { HttpApplication } from './http-application.js';
import { version } from '../version.js';

export interface DocumentOptions {
  readonly title: string;
  readonly description: string;
  /** Address template of a server, for clients and for people who try it out. */
  readonly server: { readonly url: string; readonly description: string };
  readonly extend?: (builder: DocumentBuilder) => DocumentBuilder;
}

/** The contract of an application, read off its controllers. */
export function openApiDocument(application: HttpApplication, options: DocumentOptions): OpenAPIObject {
  const builder = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle(options.title)
    .setDescription(options.description)
    .setVersion(version)
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addServer(options.server.url, options.server.description);
  return SwaggerModule.createDocument(application.nest, (options.extend?.(builder) ?? builder).build(), {
    // Reads better in generated clients than the name of a class before it.
    operationIdFactory: (_controller, method) => method,
  });
}
