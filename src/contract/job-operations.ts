import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiOkResponse, ApiParam, ApiResponse, getSchemaPath } from './decorators.js';
import { digestsAnswer, eventStreamHeaders, operation, type ImageAccess } from './image-operations.js';
import { JobDto, jobNumber } from './job.dto.js';
import { refusal } from './refusals.js';
import type { SchemaObject } from './schemas.js';

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

export const ListJobDigests = (access: ImageAccess): MethodDecorator =>
  applyDecorators(
    operation(
      {
        summary: 'Digests that a job has computed',
        description:
          'The same list as of `/digests`, of a job that was begun there and is done, as often as it is ' +
          'asked for. It is kept until newer jobs of the ticket need its room, and gone with its ticket; a ' +
          'list that is gone while it is read is cut.',
      },
      access.anyStorage,
    ),
    jobParameter,
    malformed(access),
    refusal(
      404,
      'The ticket has no such job, or it has no digests: it computed none, failed, or they had to make room.',
      'Job 1 has no digests, or not any more',
      access.refusalHeaders,
    ),
    refusal(409, 'The job is still running.', 'Job 1 is still running', access.refusalHeaders),
    digestsAnswer(access),
  );

const jobEventsExample = [
  'event: progress',
  'data: {"id":1,"kind":"zero","state":"running","done":134217728,"total":268435456,' +
    '"bytes_per_second":104857600}\n',
  ':\n',
  'event: done',
  'data: {"id":1,"kind":"zero","state":"done","done":268435456,"total":268435456,' +
    '"bytes_per_second":104857600}\n\n',
].join('\n');

/** Of the whole text. What the data of each event is, JSON Schema has the word `contentSchema` for. */
const jobEventsSchema: SchemaObject = Object.assign<SchemaObject, object>(
  { type: 'string' },
  { contentMediaType: 'application/json', contentSchema: { $ref: getSchemaPath(JobDto) } },
);

export const FollowJob = (access: ImageAccess): MethodDecorator =>
  applyDecorators(
    operation(
      {
        summary: 'How far a job is, as it goes on',
        description:
          'Server-sent events (HTML standard), instead of polling: `progress` at once, then on change and ' +
          'at most once a second. The stream ends with `done`, `failed` or `cancelled`, or with `draining` ' +
          'when the service stops. The data of each is the `Job`. Following is no activity of the ticket.',
      },
      access.anyStorage,
    ),
    jobParameter,
    malformed(access),
    noJob(access),
    ApiExtraModels(JobDto),
    ApiOkResponse({
      description: 'The events, until the client leaves or the job ends.',
      headers: { ...access.headers, ...eventStreamHeaders },
      content: { 'text/event-stream': { schema: jobEventsSchema, example: jobEventsExample } },
    }),
  );
