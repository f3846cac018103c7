import { applyDecorators } from '@nestjs/common';
import { ApiOkResponse, ApiParam, ApiResponse } from './decorators.js';
import { operation, type ImageAccess } from './image-operations.js';
import { JobDto, jobNumber } from './job.dto.js';
import { refusal } from './refusals.js';

const jobParameter = ApiParam({
  name: 'job',
  description: 'Number of the job, as in its `Location`.',
  schema: jobNumber,
  example: 1,
});

const noJob = (access: ImageAccess): MethodDecorator =>
  refusal(
    404,
    'The ticket has no such job, or it ended and had to make room for others.',
    'There is no job 1',
    access.refusalHeaders,
  );

const malformed = (access: ImageAccess): MethodDecorator =>
  refusal(400, 'The request is malformed.', 'Invalid path', access.refusalHeaders);

export const ListJobs = (access: ImageAccess): MethodDecorator =>
  applyDecorators(
    operation(
      {
        summary: 'The jobs of the ticket',
        description:
          'Those that run and the last ones that ended, in the order in which they began. There are none ' +
          'of tickets that were removed.',
      },
      access.anyStorage,
    ),
    malformed(access),
    ApiOkResponse({ description: 'The jobs.', headers: access.headers, type: [JobDto] }),
  );

export const GetJob = (access: ImageAccess): MethodDecorator =>
  applyDecorators(
    operation(
      {
        summary: 'How far a job is',
        description:
          'Also tells its result once it is done. Asking is no activity of the ticket; the job is.',
      },
      access.anyStorage,
    ),
    jobParameter,
    malformed(access),
    noJob(access),
    ApiOkResponse({ description: 'The job.', headers: access.headers, type: JobDto }),
  );

export const CancelJob = (access: ImageAccess): MethodDecorator =>
  applyDecorators(
    operation(
      {
        summary: 'Cancel a job',
        description:
          'Answers when nothing of the job runs any more: from then on it changes no byte. What it did ' +
          'before stays done. Of a job that has ended it changes nothing.',
      },
      access.anyStorage,
    ),
    jobParameter,
    malformed(access),
    noJob(access),
    refusal(
      409,
      'Storage did not answer within `[control] remove_timeout`. The job ends when it does; try again.',
      'Timeout cancelling job 1',
      access.refusalHeaders,
    ),
    ApiResponse({ status: 204, description: 'Nothing of the job runs any more.', headers: access.headers }),
  );
