import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsIn, IsInt, Max, Min } from 'class-validator';
import { OptionalKey } from '../http/optional-key.decorator.js';

/** PATCH /images/{id} */
export class ImagePatchDto {
  @ApiProperty({
    description: 'What to do: zero a range, or flush all that was written.',
    enum: ['zero', 'flush'],
    example: 'zero',
  })
  @IsIn(['zero', 'flush'], { message: '$property must be "zero" or "flush"' })
  op!: 'zero' | 'flush';

  @ApiPropertyOptional({
    description: 'zero: first byte of the range.',
    type: 'integer',
    format: 'int64',
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    default: 0,
    example: 4096,
  })
  @OptionalKey()
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  offset?: number;

  @ApiPropertyOptional({
    description: 'zero: length of the range in bytes. Required for zero.',
    type: 'integer',
    format: 'int64',
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    example: 1048576,
  })
  @OptionalKey()
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  size?: number;

  @ApiPropertyOptional({
    description: 'zero: answer only when the zeroes are on stable storage.',
    default: false,
  })
  @OptionalKey()
  @IsBoolean()
  flush?: boolean;
}

/** OPTIONS /images/{id} */
export class ImageOptionsDto {
  @ApiPropertyOptional({
    description:
      'Unix socket that clients on the same host may use instead; abstract when it begins with NUL.',
    example: '\u0000/org/ovirt/imageio',
  })
  unix_socket?: string;

  @ApiProperty({
    description: 'What this service can do with the image.',
    enum: ['checksum', 'extents', 'flush', 'zero'],
    isArray: true,
    example: ['checksum', 'extents', 'flush', 'zero'],
  })
  features!: string[];

  @ApiPropertyOptional({
    description: 'Connections that can usefully read at once.',
    type: 'integer',
    minimum: 1,
    example: 8,
  })
  max_readers?: number;

  @ApiPropertyOptional({
    description: 'Connections that can usefully write at once.',
    type: 'integer',
    minimum: 1,
    example: 1,
  })
  max_writers?: number;
}

/** One item of GET /images/{id}/extents */
export class ExtentDto {
  @ApiProperty({ description: 'First byte.', type: 'integer', format: 'int64', minimum: 0, example: 0 })
  start!: number;

  @ApiProperty({
    description: 'Length in bytes.',
    type: 'integer',
    format: 'int64',
    minimum: 1,
    example: 65536,
  })
  length!: number;

  @ApiProperty({ description: 'Reads as zeroes.', example: false })
  zero!: boolean;

  @ApiPropertyOptional({
    description: 'Zero context: not allocated in this layer of a qcow2 image.',
    example: false,
  })
  hole?: boolean;

  @ApiPropertyOptional({ description: 'Dirty context: changed since the checkpoint.', example: true })
  dirty?: boolean;
}

/** GET /images/{id}/checksum */
export class ChecksumDto {
  @ApiProperty({ description: 'Hash algorithm.', example: 'blake2b' })
  algorithm!: string;

  @ApiProperty({
    description: 'Block size in bytes.',
    type: 'integer',
    minimum: 1048576,
    maximum: 16777216,
    multipleOf: 4096,
    example: 4194304,
  })
  block_size!: number;

  @ApiProperty({
    description: 'Hash of the concatenated block hashes, hexadecimal.',
    pattern: '^[0-9a-f]+$',
    example: '0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8',
  })
  checksum!: string;
}

/** GET /images/{id}/checksum/algorithms */
export class ChecksumAlgorithmsDto {
  @ApiProperty({ description: 'Names, sorted.', type: [String], example: ['blake2b', 'blake2s', 'sha256'] })
  algorithms!: readonly string[];
}
