import { ApiProperty, ApiPropertyOptional, ApiSchema } from './decorators.js';
import { byteCount } from './schemas.js';

/** PATCH /images/{id} that zeroes. */
@ApiSchema({
  name: 'ZeroOperation',
  description:
    'Makes a range read as zeroes. It is deallocated if the ticket is sparse, else it stays allocated.',
})
export class ZeroOperationDto {
  @ApiProperty({ description: 'Which operation this is.', type: 'string', enum: ['zero'], example: 'zero' })
  op!: 'zero';

  @ApiPropertyOptional({
    ...byteCount,
    description: 'First byte of the range.',
    default: 0,
    example: 4096,
  })
  offset?: number;

  @ApiProperty({ ...byteCount, description: 'Length of the range in bytes.', example: 1_048_576 })
  size!: number;

  @ApiPropertyOptional({
    description: 'Answer only when the zeroes are on stable storage.',
    default: false,
    example: false,
  })
  flush?: boolean;
}

/** PATCH /images/{id} that flushes. */
@ApiSchema({
  name: 'FlushOperation',
  description: 'Makes everything that was written or zeroed before durable.',
})
export class FlushOperationDto {
  @ApiProperty({ description: 'Which operation this is.', type: 'string', enum: ['flush'], example: 'flush' })
  op!: 'flush';
}

/** OPTIONS /images/{id} */
@ApiSchema({
  name: 'ImageOptions',
  description: 'What can be done with an image, and with how many connections.',
})
export class ImageOptionsDto {
  @ApiPropertyOptional({
    description:
      'Unix socket that clients on the host of the image may use instead of TCP; abstract when it begins ' +
      'with NUL. Absent when the local service is off, and through a proxy.',
    maxLength: 108,
    example: '\u0000/org/ovirt/imageio',
  })
  unix_socket?: string;

  @ApiProperty({
    description:
      'What can be done: `checksum` and `extents` always, `flush` and `zero` when the ticket may write. ' +
      'More may be added.',
    type: 'array',
    items: { type: 'string', maxLength: 100 },
    maxItems: 100,
    example: ['checksum', 'extents', 'flush', 'zero'],
  })
  features!: string[];

  @ApiPropertyOptional({
    description:
      'What can be done beyond the features: `docs/transfers.md` describes each. Through a proxy these are ' +
      'what both proxy and daemon can do. Absent when the daemon is another program, which has none. More ' +
      'may be added.',
    type: 'array',
    items: { type: 'string', maxLength: 100 },
    maxItems: 100,
    example: ['preflight'],
  })
  extensions?: string[];

  @ApiPropertyOptional({
    description: 'Connections that can usefully read at once. Absent for the service itself.',
    type: 'integer',
    format: 'int32',
    minimum: 1,
    maximum: 1_000_000,
    example: 8,
  })
  max_readers?: number;

  @ApiPropertyOptional({
    description: 'Connections that can usefully write at once. Absent for the service itself.',
    type: 'integer',
    format: 'int32',
    minimum: 1,
    maximum: 1_000_000,
    example: 1,
  })
  max_writers?: number;
}

/** One item of GET /images/{id}/extents */
@ApiSchema({ name: 'Extent', description: 'A part of an image whose bytes are alike in what was asked.' })
export class ExtentDto {
  @ApiProperty({ ...byteCount, description: 'First byte.', example: 0 })
  start!: number;

  @ApiProperty({ ...byteCount, description: 'Length in bytes.', minimum: 1, example: 65_536 })
  length!: number;

  @ApiProperty({ description: 'Reads as zeroes.', example: false })
  zero!: boolean;

  @ApiPropertyOptional({
    description:
      'Zero context: not allocated in this layer of a qcow2 image, data of its backing chain shows through.',
    example: false,
  })
  hole?: boolean;

  @ApiPropertyOptional({ description: 'Dirty context: changed since the checkpoint.', example: true })
  dirty?: boolean;
}

/** GET /images/{id}/checksum */
@ApiSchema({ name: 'Checksum', description: 'The checksum of an image and how it was computed.' })
export class ChecksumDto {
  @ApiProperty({ description: 'Hash algorithm.', maxLength: 100, example: 'blake2b' })
  algorithm!: string;

  @ApiProperty({
    description: 'Block size in bytes.',
    type: 'integer',
    format: 'int32',
    minimum: 1_048_576,
    maximum: 16_777_216,
    multipleOf: 4096,
    example: 4_194_304,
  })
  block_size!: number;

  @ApiProperty({
    description: 'Hash of the concatenated block hashes, hexadecimal.',
    pattern: '^[0-9a-f]+$',
    maxLength: 256,
    example: '0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8',
  })
  checksum!: string;
}

/** One item of GET /images/{id}/digests */
@ApiSchema({ name: 'BlockDigest', description: 'A block of an image and its digest.' })
export class BlockDigestDto {
  @ApiProperty({ ...byteCount, description: 'First byte.', example: 0 })
  start!: number;

  @ApiProperty({
    description: 'Length in bytes: the block size, or less for the last block.',
    type: 'integer',
    format: 'int32',
    minimum: 1,
    maximum: 16_777_216,
    example: 4_194_304,
  })
  length!: number;

  @ApiProperty({
    description: 'Hash of the block, hexadecimal.',
    pattern: '^[0-9a-f]+$',
    maxLength: 256,
    example: '8c4f1a9b0b7d4a3a1f0c4c5f6a5be4c1c0c6d4b6b8d9f7aa2f8a5e5f3b0a7c11',
  })
  digest!: string;

  @ApiPropertyOptional({
    description: 'True when the block is known to be zero, and was not read. Absent otherwise.',
    example: true,
  })
  zero?: boolean;
}

/** GET /images/{id}/checksum/algorithms */
@ApiSchema({
  name: 'ChecksumAlgorithms',
  description: 'The hash algorithms that checksums can be computed with.',
})
export class ChecksumAlgorithmsDto {
  @ApiProperty({
    description: 'Names, sorted.',
    type: 'array',
    items: { type: 'string', maxLength: 100 },
    minItems: 1,
    maxItems: 1000,
    example: ['blake2b', 'blake2s', 'sha256'],
  })
  algorithms!: readonly string[];
}
