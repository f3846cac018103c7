import { ApiProperty, ApiSchema } from './decorators.js';
import { byteCount } from './schemas.js';

/** One entry of the ranges of an image. */
@ApiSchema({ name: 'ReceivedRange', description: 'A part of the image that the ticket has brought there.' })
export class ReceivedRangeDto {
  @ApiProperty({ ...byteCount, description: 'First byte.', example: 0 })
  start!: number;

  @ApiProperty({ ...byteCount, minimum: 1, description: 'Bytes.', example: 1_048_576 })
  length!: number;

  @ApiProperty({
    description:
      '`received`: storage took it. `durable`: it took it before a flush began that succeeded, so that a ' +
      'loss of power does not undo it.',
    type: 'string',
    enum: ['received', 'durable'],
    example: 'durable',
  })
  state!: string;

  @ApiProperty({ description: 'It was zeroed, and not sent.', example: false })
  zero!: boolean;
}

/** GET /images/{id}/ranges */
@ApiSchema({ name: 'ReceivedRanges', description: 'Which bytes of an image a ticket has brought there.' })
export class ReceivedRangesDto {
  @ApiProperty({ ...byteCount, description: 'Bytes that the ticket may touch.', example: 1_073_741_824 })
  size!: number;

  @ApiProperty({
    ...byteCount,
    description: 'Another number than before when something that was there is not any more.',
    example: 1,
  })
  generation!: number;

  @ApiProperty({
    ...byteCount,
    description: 'All that was received, the durable bytes among it.',
    example: 1_048_576,
  })
  received_bytes!: number;

  @ApiProperty({ ...byteCount, description: 'What of it is durable.', example: 1_048_576 })
  durable_bytes!: number;

  @ApiProperty({
    description: 'In order, without overlaps.',
    type: [ReceivedRangeDto],
    maxItems: 10_000,
  })
  ranges!: ReceivedRangeDto[];

  @ApiProperty({
    description: 'The `start` of the next page; null when this is the last.',
    type: 'integer',
    format: 'int64',
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    nullable: true,
    example: null,
  })
  next!: number | null;
}
