import type { INestApplication, Type } from '@nestjs/common';
import * as library from '@nestjs/swagger';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { version } from '../base/version.js';
import { applyDescriptions } from './decorators.js';
import { ProblemDto } from './problem.dto.js';
import { errorTextName, errorTextSchema } from './refusals.js';
import { methods, shareComponents } from './shared-components.js';
import type { SchemaObject } from './schemas.js';

export interface ServerVariable {
  readonly default: string;
  readonly description: string;
}

export interface DocumentOptions {
  /** Whose controllers are described. */
  readonly modules: readonly Type[];
  readonly title: string;
  /** One line, for lists of APIs. */
  readonly summary: string;
  /** CommonMark: what all operations have in common. */
  readonly description: string;
  /** Address templates, the usual one first. */
  readonly servers: readonly {
    readonly url: string;
    readonly description: string;
    readonly variables?: Readonly<Record<string, ServerVariable>>;
  }[];
  /** Groups of operations, in alphabetical order. */
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  /** Components that have no class. */
  readonly schemas?: Readonly<Record<string, SchemaObject>>;
  readonly extend?: (builder: DocumentBuilder) => DocumentBuilder;
}

/** The contract of an application, read off its controllers. */
export function openApiDocument(application: INestApplication, options: DocumentOptions): OpenAPIObject {
  applyDescriptions(library);
  const builder = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle(options.title)
    .setDescription(options.description)
    .setVersion(version)
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0');
  for (const { url, description, variables } of options.servers)
    builder.addServer(url, description, { ...variables });
  for (const { name, description } of options.tags) builder.addTag(name, description);
  const document = SwaggerModule.createDocument(application, (options.extend?.(builder) ?? builder).build(), {
    // The name of the method alone reads better in generated clients than with the name of its class before
    // it.
    operationIdFactory: (_controller, method) => method,
    extraModels: [ProblemDto],
    include: [...options.modules],
  });
  describeRequestId(document);
  shareComponents(document);
  const { title, ...info } = document.info;
  // The builder adds an empty contact.
  delete info.contact;
  return {
    ...document,
    // The summary of OpenAPI 3.1 is not in the type.
    info: { title, summary: options.summary, ...info } as OpenAPIObject['info'],
    // For operations that name no credential of their own: they need none.
    security: document.security ?? [],
    components: {
      ...document.components,
      schemas: {
        [errorTextName]: errorTextSchema,
        ...options.schemas,
        ...document.components?.schemas,
      },
    },
  };
}

const requestId = {
  description:
    'Names the request in the log of the service: the one that the request had, if it is well-formed, or ' +
    'a new one. Absent when the request could not be parsed.',
  schema: {
    type: 'string',
    pattern: '^[A-Za-z0-9._-]{1,64}$',
    example: '7f3c2a9e-4b1d-4c8e-9a52-0d6f1e3b8c47',
  },
} as const;

/** Every response has it, so it is described in one place. */
function describeRequestId(document: OpenAPIObject): void {
  for (const path of Object.values(document.paths)) {
    for (const method of methods) {
      for (const response of Object.values(path[method]?.responses ?? {})) {
        if (response !== undefined && !('$ref' in response)) {
          // A copy, because the decorators share one object between operations.
          response.headers = { ...response.headers, 'X-Request-Id': requestId };
        }
      }
    }
  }
}
