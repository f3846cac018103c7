import {
  applyDecorators,
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Param,
  Post,
  Req,
  Res,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { begunJob } from '../../contract/begun-job.js';
import {
  ApiBody,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiTags,
} from '../../contract/decorators.js';
import { JobDto, jobNumber } from '../../contract/job.dto.js';
import { headRefusals, jsonBodyRefusals, refusal, stopping } from '../../contract/refusals.js';
import { NotFoundError } from '../../base/errors.js';
import { ServedTo } from '../../framework/audience.js';
import { hijack } from '../../framework/hijack.js';
import { Polled } from '../../framework/polled.decorator.js';
import { JsonRequestBody } from '../../framework/request-body.decorator.js';
import { DtoPipe } from '../../framework/validation.js';
import { Copies } from '../copies/copies.js';
import type { Job, JobInfo } from '../jobs/job.js';
import { RunningJobs } from '../jobs/running-jobs.js';
import { CopyDto } from './copy.dto.js';

const anyOperation = applyDecorators(
  refusal(
    403,
    'The request has an `Origin`, or on TCP a `Host` that is not local: it is the work of a web page. Or a ' +
      'ticket expired, was canceled or forbids it. The connection is closed.',
    'You are not allowed to access this resource: this is not for web pages',
  ),
  headRefusals,
  stopping,
);

const ofOneCopy = applyDecorators(
  anyOperation,
  ApiParam({
    name: 'copy',
    description: 'Number of the copy, as in its `Location`.',
    schema: jobNumber,
    example: 1,
  }),
  refusal(404, 'There is no such copy, or it ended and had to make room for others.', 'There is no job 1'),
);

const copyNumber = /^[1-9]\d{0,14}$/;

/** Copies between tickets of a daemon (docs/protocol.md, "Copies"), for those who manage them. */
@ApiTags('copies')
@ServedTo('control')
@Controller('copies')
export class CopiesController {
  constructor(
    private readonly copies: Copies,
    private readonly runningJobs: RunningJobs,
  ) {}

  @Post()
  @JsonRequestBody('copy')
  @ApiOperation({
    operationId: 'beginCopy',
    summary: 'Copy the image of one ticket to that of another',
    description:
      'Copies inside the daemon between images of any kind, of other daemons too, zeroes as zeroes, and ' +
      'flushes in the end. ' +
      'It is a job and an operation of both tickets: each is active, shows the progress, and stops it ' +
      'when it is canceled, expires or is removed. Unknown keys are ignored. A copy that was stopped can ' +
      'be begun again.',
  })
  @anyOperation
  @ApiBody({ type: CopyDto, description: 'The copy, at most 64 KiB.', required: true })
  @begunJob('/copies/1', 'copy')
  @refusal(
    400,
    'The copy is malformed, or source and target are one image.',
    'Invalid copy: source must be a string',
  )
  @refusal(
    404,
    'There is no such ticket, or the source has no dirty extents.',
    'No such ticket "2b2cf4d3-1c4c-4f6c-9f7e-6e8f3d0c5b11"',
  )
  @jsonBodyRefusals
  @refusal(
    416,
    'The target, or its ticket, is smaller than the source. Nothing was copied.',
    'range end 1073741825 > ticket size 1073741824',
    {
      'Content-Range': {
        description: 'The size that was exceeded.',
        schema: { type: 'string', pattern: '^bytes \\*/\\d+$', example: 'bytes */1073741824' },
      },
    },
  )
  @refusal(500, 'The storage failed; the log of the service says how.', 'Opening the image failed')
  @refusal(
    502,
    'The daemon that has one of the images refused the connection, or is not the one that it should be.',
    'The certificate of the host of the image is not trusted',
  )
  @refusal(
    504,
    'The daemon that has one of the images did not accept the connection or answer in time.',
    'The host of the image did not answer in time',
  )
  begin(
    @Body(new DtoPipe('copy')) { source, target, dirty = false, verify = false }: CopyDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): void {
    hijack(request, reply, (exchange) => this.copies.start(exchange, { source, target, dirty, verify }));
  }

  @Get()
  @Polled()
  @ApiOperation({
    operationId: 'listCopies',
    summary: 'List the copies',
    description: 'Those that run and the last ones that ended, in the order in which they began.',
  })
  @anyOperation
  @ApiOkResponse({ description: 'The copies.', type: [JobDto] })
  list(): JobInfo[] {
    return this.copies.list.all.map((job) => job.info());
  }

  @Get(':copy')
  @Polled()
  @ApiOperation({
    operationId: 'getCopy',
    summary: 'How far a copy is',
    description: 'And what became of it once it has ended. Asking is no activity of the tickets.',
  })
  @ofOneCopy
  @ApiOkResponse({ description: 'The copy.', type: JobDto })
  show(@Param('copy') copy: string): JobInfo {
    return this.#find(copy).info();
  }

  @Delete(':copy')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'cancelCopy',
    summary: 'Cancel a copy',
    description:
      'Answers when nothing of it runs any more: from then on it changes no byte. Of a copy that has ended ' +
      'it changes nothing.',
  })
  @ofOneCopy
  @refusal(
    409,
    'Storage did not answer within `[control] remove_timeout`. The copy ends when it does; try again.',
    'Timeout cancelling job 1',
  )
  @ApiNoContentResponse({ description: 'Nothing of the copy runs any more.' })
  async cancel(@Param('copy') copy: string): Promise<void> {
    await this.runningJobs.cancel(this.#find(copy));
  }

  /** @throws NotFoundError */
  #find(copy: string): Job {
    if (!copyNumber.test(copy)) throw new NotFoundError(`There is no job ${copy.slice(0, 20)}`);
    return this.copies.list.find(Number(copy));
  }
}
