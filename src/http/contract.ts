import type { ApiResponseNoStatusOptions, ApiResponseOptions } from '@nestjs/swagger';

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

const retryAfter = {
  'Retry-After': {
    description: 'Seconds to wait before the next attempt',
    schema: { type: 'integer', minimum: 0, example: 5 },
  },
} as const;

/** How the contract describes a refusal. @param text an example of what the client gets */
export function errorResponse(status: number, description: string, text: string): ApiResponseOptions {
  return {
    status,
    description,
    ...(status === 503 ? { headers: retryAfter } : {}),
    content: errorContent(text),
  };
}
