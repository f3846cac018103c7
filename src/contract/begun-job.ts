import { applyDecorators } from '@nestjs/common';
import { ApiHeader, ApiResponse } from './decorators.js';
import { JobDto } from './job.dto.js';
import type { ResponseHeaders } from './refusals.js';

/**
 * How the contract describes that a job has begun.
 * @param location an example of its path
 */
export const begunJob = (location: string, kind: string, headers: ResponseHeaders = {}): MethodDecorator =>
  ApiResponse({
    status: 202,
    description: 'Begun, as a job. What could be refused before was. The job goes on when the client leaves.',
    type: JobDto,
    example: { id: 1, kind, state: 'running', done: 0, total: 1_073_741_824, bytes_per_second: 0 },
    headers: {
      Location: {
        description: 'The path of the job. It has no credentials in it.',
        required: true,
        schema: { type: 'string', format: 'uri-reference', pattern: '/[1-9][0-9]*$', example: location },
      },
      'Preference-Applied': {
        description: 'Always `respond-async`.',
        required: true,
        schema: { type: 'string', enum: ['respond-async'], example: 'respond-async' },
      },
      ...headers,
    },
  });

/** How the contract describes that an operation may be done as a job. */
export const mayBeJob = (headers: ResponseHeaders): MethodDecorator =>
  applyDecorators(
    ApiHeader({
      name: 'Prefer',
      required: false,
      description:
        '`respond-async` (RFC 7240): do it as a job, and answer before it is done. Other preferences do ' +
        'nothing.',
      schema: { type: 'string', example: 'respond-async' },
    }),
    begunJob('/images/2b2cf4d3-1c4c-4f6c-9f7e-6e8f3d0c5b11/jobs/1', 'checksum', headers),
  );
