import type { ApiResponseOptions } from '@nestjs/swagger';

const retryAfter = {
  'Retry-After': {
    description: 'Seconds to wait before the next attempt.',
    schema: { type: 'integer', minimum: 0 },
    example: 10,
  },
} as const;

/**
 * How an error is described in the contract: text for people, or RFC 9457 when `Accept` prefers JSON.
 * @param detail an example of the text
 */
export function errorResponse(status: number, description: string, detail: string): ApiResponseOptions {
  return {
    status,
    description,
    ...(status === 503 ? { headers: retryAfter } : {}),
    content: {
      'text/plain': { schema: { type: 'string' }, example: `${detail}\n` },
      'application/problem+json': {
        schema: {
          type: 'object',
          properties: {
            type: { type: 'string', description: 'Names the kind of error, for programs.' },
            title: { type: 'string' },
            status: { type: 'integer' },
            detail: { type: 'string', description: 'What was wrong, for people.' },
          },
        },
        example: { status, detail },
      },
    },
  };
}
