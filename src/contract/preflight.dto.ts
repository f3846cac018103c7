import { ApiProperty, ApiPropertyOptional, ApiSchema } from './decorators.js';
import { byteCount, seconds } from './schemas.js';

const connections = { type: 'integer', format: 'int32', minimum: 1, maximum: 1_000_000 } as const;

/** One thing that a preflight has found. */
@ApiSchema({ name: 'PreflightFinding', description: 'One thing that matters to the transfer.' })
export class PreflightFindingDto {
  @ApiProperty({
    description: 'What it is, for programs; docs/transfers.md lists them. More may be added.',
    pattern: '^[a-z_]+$',
    maxLength: 100,
    example: 'no_space',
  })
  code!: string;

  @ApiProperty({
    description:
      '`error`: the transfer fails. `warning`: it may fail, or come out otherwise than meant. `info`: good ' +
      'to know.',
    type: 'string',
    enum: ['error', 'warning', 'info'],
    example: 'error',
  })
  severity!: string;

  @ApiProperty({
    description: 'For people.',
    maxLength: 1000,
    example: 'The transfer may need 1073741824 more bytes, the storage has 536870912 free',
  })
  message!: string;

  @ApiProperty({
    description: 'What to do about it, for people.',
    maxLength: 1000,
    example: 'Make room on the storage, or have the ticket made sparse.',
  })
  advice!: string;
}

/** What the ticket says of the transfer. */
@ApiSchema({ name: 'PreflightTicket', description: 'What the ticket says of the transfer.' })
export class PreflightTicketDto {
  @ApiProperty({ ...byteCount, description: 'Bytes that may be touched.', example: 1_073_741_824 })
  size!: number;

  @ApiProperty({
    ...seconds,
    description: 'Seconds until it ends when it is not used meanwhile; a preflight is no use.',
    example: 299,
  })
  expires_in!: number;

  @ApiProperty({
    ...seconds,
    description: 'Seconds for which a connection may be silent.',
    example: 60,
  })
  inactivity_timeout!: number;
}

/** What the image says of the transfer. */
@ApiSchema({ name: 'PreflightImage', description: 'What the image says of the transfer.' })
export class PreflightImageDto {
  @ApiProperty({ ...byteCount, description: 'Bytes that it has now.', example: 0 })
  size!: number;

  @ApiProperty({ description: 'Writing past its end makes it larger.', example: true })
  growable!: boolean;

  @ApiProperty({
    ...byteCount,
    minimum: 1,
    description: 'Ranges that begin and end at multiples of this are transferred fastest.',
    example: 4096,
  })
  block_size!: number;

  @ApiPropertyOptional({
    ...byteCount,
    description: 'What it takes of the storage. Absent where the storage does not tell.',
    example: 0,
  })
  allocated_bytes?: number;

  @ApiPropertyOptional({
    ...byteCount,
    description: 'Room on the storage. Absent where the storage does not tell.',
    example: 536_870_912,
  })
  free_bytes?: number;

  @ApiPropertyOptional({
    description:
      'All that the ticket may touch reads as zeroes. Absent for reading, and where it could not be told ' +
      'in time.',
    example: true,
  })
  reads_as_zero?: boolean;

  @ApiProperty({
    description: 'The image has dirty extents, and the ticket lets them be read.',
    example: false,
  })
  dirty_extents!: boolean;

  @ApiProperty({ ...connections, description: 'Connections that can usefully read at once.', example: 8 })
  max_readers!: number;

  @ApiProperty({ ...connections, description: 'Connections that can usefully write at once.', example: 1 })
  max_writers!: number;
}

/** GET /images/{id}/preflight */
@ApiSchema({ name: 'Preflight', description: 'What is to be expected of a transfer.' })
export class PreflightDto {
  @ApiProperty({ description: 'Nothing was found that makes the transfer fail.', example: false })
  ok!: boolean;

  @ApiProperty({
    description: 'What it is about.',
    type: 'string',
    enum: ['read', 'write'],
    example: 'write',
  })
  op!: string;

  @ApiProperty({ description: 'What the ticket says.', type: PreflightTicketDto })
  ticket!: PreflightTicketDto;

  @ApiPropertyOptional({
    description: 'What the image says. Absent when it could not be opened.',
    type: PreflightImageDto,
  })
  image?: PreflightImageDto;

  @ApiProperty({
    description: 'What was found; empty when there is nothing to say.',
    type: [PreflightFindingDto],
    maxItems: 100,
  })
  findings!: PreflightFindingDto[];
}
