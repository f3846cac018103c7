import { ApiProperty, ApiPropertyOptional, ApiSchema } from './decorators.js';
import { ProblemDto } from './problem.dto.js';
import { byteCount } from './schemas.js';

export const jobNumber = {
  type: 'integer',
  format: 'int64',
  minimum: 1,
  maximum: 999_999_999_999_999,
} as const;

/** Work that goes on whether or not its client waits. */
@ApiSchema({
  name: 'Job',
  description:
    'Work that goes on whether or not its client waits for it, and what became of it. More kinds and keys ' +
    'may be added.',
})
export class JobDto {
  @ApiProperty({
    ...jobNumber,
    description: 'Counts the jobs of the ticket, or the copies of the service, from 1.',
    example: 1,
  })
  id!: number;

  @ApiProperty({
    description: 'What it does: `checksum`, `receipt`, `zero`, `flush`, `digests`, or `copy`.',
    maxLength: 100,
    example: 'checksum',
  })
  kind!: string;

  @ApiProperty({
    description:
      '`running` until nothing of it runs any more, then how it ended. `cancelled` is also what a job is ' +
      'whose ticket expired.',
    type: 'string',
    enum: ['running', 'done', 'failed', 'cancelled'],
    example: 'done',
  })
  state!: 'running' | 'done' | 'failed' | 'cancelled';

  @ApiProperty({
    ...byteCount,
    description: 'Bytes of the image that are worked on.',
    example: 1_073_741_824,
  })
  done!: number;

  @ApiProperty({
    ...byteCount,
    description: 'Bytes of the image that there are to work on; 0 where nobody can tell, as of a flush.',
    example: 1_073_741_824,
  })
  total!: number;

  @ApiProperty({
    ...byteCount,
    description: 'How fast it is, or was, on average since it began.',
    example: 536_870_912,
  })
  bytes_per_second!: number;

  @ApiPropertyOptional({
    description:
      'What the request would have been answered with, once the job is done; absent without a body. Of ' +
      '`digests` it tells what of the image they are of and how many; they are at `/digests` below the job.',
    type: 'object',
    additionalProperties: true,
    example: {
      algorithm: 'blake2b',
      block_size: 4_194_304,
      checksum: '0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8',
    },
  })
  result?: Record<string, unknown>;

  @ApiPropertyOptional({
    description: 'What the request would have been refused with, when the job failed or was cancelled.',
    type: ProblemDto,
  })
  problem?: ProblemDto;
}
