import type { ApiResponseNoStatusOptions } from '@nestjs/swagger';

type Content = NonNullable<Extract<ApiResponseNoStatusOptions, { content?: unknown }>['content']>;

/** How the contract describes the body of a refusal: a text for people, or problem details (RFC 9457) for those who prefer JSON. */
export function errorContent(text: string): Content {
  return {
    'text/plain': { schema: { type: 'string', example: `${text}\n` } },
    'application/problem+json': {
      schema: {
        type: 'object',
        required: ['type', 'title', 'status'],
        properties: {
          type: {
            type: 'string',
            format: 'uri',
            description: 'Stable name of the error',
            example: 'urn:ovirt-imageio:error:not_found',
          },
          title: { type: 'string', example: text },
          status: { type: 'integer', minimum: 400, maximum: 599 },
        },
      },
    },
  };
}
