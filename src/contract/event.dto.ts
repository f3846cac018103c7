import { ApiProperty, ApiPropertyOptional, ApiSchema } from './decorators.js';
import { byteCount, seconds } from './schemas.js';

/** The data of each event of a ticket. */
@ApiSchema({
  name: 'TicketProgress',
  description: 'How a transfer stands: the data, as JSON, of each event of its ticket.',
})
export class TicketProgressDto {
  @ApiPropertyOptional({
    ...byteCount,
    description: 'Distinct bytes transferred so far. Absent when the ticket allows both ops.',
    example: 134_217_728,
  })
  transferred?: number;

  @ApiPropertyOptional({
    ...byteCount,
    description: 'Bytes that the image has got, the durable ones among them. Absent for a download.',
    example: 134_217_728,
  })
  received_bytes?: number;

  @ApiPropertyOptional({
    ...byteCount,
    description: 'Those of them that a loss of power would not undo. Absent for a download.',
    example: 67_108_864,
  })
  durable_bytes?: number;

  @ApiProperty({ description: 'An operation is running.', example: true })
  active!: boolean;

  @ApiProperty({
    description: 'Open connections that used the ticket.',
    type: 'integer',
    format: 'int32',
    minimum: 0,
    example: 4,
  })
  connections!: number;

  @ApiProperty({
    ...byteCount,
    description: 'Bytes moved in a second since the last `progress`; what is sent twice counts twice.',
    example: 104_857_600,
  })
  bytes_per_second!: number;

  @ApiPropertyOptional({
    ...seconds,
    description: 'With `extended`: seconds until the ticket ends when it is not used meanwhile.',
    example: 300,
  })
  expires_in?: number;

  @ApiPropertyOptional({
    description: 'With `cancelled` of a proxy: why the session or ticket there has ended.',
    maxLength: 1000,
    example: 'You are not allowed to access this resource: the session was deleted',
  })
  reason?: string;
}
