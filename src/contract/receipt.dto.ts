import { ApiProperty, ApiSchema, getSchemaPath } from './decorators.js';
import { byteCount } from './schemas.js';

const base64url = { type: 'string', pattern: '^[A-Za-z0-9_-]+$' } as const;

/** A part of an image. */
@ApiSchema({ name: 'ByteRange', description: 'A part of an image.' })
export class ByteRangeDto {
  @ApiProperty({ ...byteCount, description: 'First byte.', example: 0 })
  start!: number;

  @ApiProperty({ ...byteCount, minimum: 1, description: 'Bytes.', example: 1_048_576 })
  length!: number;
}

/** What a receipt says. */
@ApiSchema({
  name: 'ReceiptClaims',
  description: 'What a receipt says of an image, and of the upload under its ticket. More keys may be added.',
})
export class ReceiptClaimsDto {
  @ApiProperty({
    description: 'When it was signed, in seconds since 1970-01-01 UTC.',
    type: 'integer',
    format: 'int64',
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    example: 1_795_000_000,
  })
  iat!: number;

  @ApiProperty({
    description: 'What the ticket calls the transfer.',
    maxLength: 256,
    example: '5d1b1d0a-6b0f-4f6c-8b77-0c1a5a0f2e11',
  })
  transfer_id!: string;

  @ApiProperty({
    ...byteCount,
    description: 'Bytes from the first one on that the checksum covers: all that a download has.',
    example: 1_073_741_824,
  })
  size!: number;

  @ApiProperty({ description: 'Hash algorithm of the checksum.', maxLength: 100, example: 'blake2b' })
  algorithm!: string;

  @ApiProperty({
    description: 'Block size of the checksum in bytes.',
    type: 'integer',
    format: 'int32',
    minimum: 1_048_576,
    maximum: 16_777_216,
    multipleOf: 4096,
    example: 4_194_304,
  })
  block_size!: number;

  @ApiProperty({
    description: 'Checksum of the image, hexadecimal.',
    pattern: '^[0-9a-f]+$',
    maxLength: 256,
    example: '0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8',
  })
  checksum!: string;

  @ApiProperty({
    ...byteCount,
    description: 'Bytes that the ticket has brought to the image; 0 of a ticket that only reads.',
    example: 1_073_741_824,
  })
  received_bytes!: number;

  @ApiProperty({
    ...byteCount,
    description: 'Of these, the bytes that a loss of power would not undo. When they are fewer, flush.',
    example: 1_073_741_824,
  })
  durable_bytes!: number;

  @ApiProperty({
    description: 'Where those are, in order.',
    type: [ByteRangeDto],
    maxItems: 10_000,
    example: [{ start: 0, length: 1_073_741_824 }],
  })
  durable_ranges!: ByteRangeDto[];

  @ApiProperty({
    ...byteCount,
    description: 'From where on ranges are left out, as there are too many of them; null when none is.',
    nullable: true,
    example: null,
  })
  next!: number | null;
}

/** What JSON Schema has these words for. */
const claimsContent = {
  contentEncoding: 'base64url',
  contentMediaType: 'application/json',
  contentSchema: { $ref: getSchemaPath(ReceiptClaimsDto) },
};

/** GET /images/{id}/receipt */
@ApiSchema({
  name: 'Receipt',
  description: 'A signature in the flattened JSON form of JWS (RFC 7515), over a `ReceiptClaims`.',
})
export class ReceiptDto {
  @ApiProperty({
    ...base64url,
    ...claimsContent,
    description: 'A `ReceiptClaims` as JSON, in base64url.',
    example: 'eyJpYXQiOjE3OTUwMDAwMDB9',
  })
  payload!: string;

  @ApiProperty({
    ...base64url,
    description:
      'The protected header as JSON, in base64url: `alg`, `typ` which is always `imageio-receipt`, `cty`, ' +
      'and the certificates of the key as `x5c`.',
    example: 'eyJhbGciOiJQUzI1NiIsInR5cCI6ImltYWdlaW8tcmVjZWlwdCJ9',
  })
  protected!: string;

  @ApiProperty({
    ...base64url,
    description: 'The signature over `protected`, a dot and `payload`, in base64url.',
    example: 'bm90IGEgcmVhbCBzaWduYXR1cmU',
  })
  signature!: string;
}
