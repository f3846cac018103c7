import { ApiProperty, ApiPropertyOptional, ApiSchema } from './decorators.js';

/** A refusal for clients that prefer JSON: problem details of RFC 9457. */
@ApiSchema({
  name: 'Problem',
  description:
    'Why a request was refused, as problem details (RFC 9457): for clients whose `Accept` prefers JSON.',
})
export class ProblemDto {
  @ApiProperty({
    description:
      'Stable name of the kind of error, for programs. More kinds may be added: take an unknown one for ' +
      'what its status says.',
    format: 'uri',
    pattern: '^(urn:ovirt-imageio:error:[a-z_]+|https://iana\\.org/assignments/http-problem-types#[a-z-]+)$',
    maxLength: 100,
    example: 'urn:ovirt-imageio:error:invalid_request',
  })
  type!: string;

  @ApiProperty({
    description: 'What went wrong in one sentence, for people. Its wording may change.',
    maxLength: 65_536,
    example: 'Invalid Content-Range, expected bytes first-last/total',
  })
  title!: string;

  @ApiProperty({
    description: 'The status code of the response.',
    type: 'integer',
    format: 'int32',
    minimum: 400,
    maximum: 599,
    example: 400,
  })
  status!: number;

  @ApiPropertyOptional({
    description: 'Of a checksum that is another one: what was expected.',
    maxLength: 256,
    example: '0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8',
  })
  expected?: string;

  @ApiPropertyOptional({
    description: 'Of a checksum that is another one: what it is.',
    maxLength: 256,
    example: 'd7d82cb19df9e6b46b8d272c11754eadb10c4a240ca3bbae684e5dfea3640bc4',
  })
  actual?: string;

  @ApiPropertyOptional({
    description:
      'Of a checksum that is another one: the first byte of the first block that is not what the ticket ' +
      'has uploaded to it, as far as digests of that were kept, or null when no such block is known: the ' +
      'digests of the blocks tell which differ.',
    type: 'integer',
    format: 'int64',
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    nullable: true,
    example: 4_194_304,
  })
  first_difference?: number | null;

  @ApiPropertyOptional({
    description:
      'With `Upload-Parallel: ?1`, once the ticket was found good: bytes of the image that a loss of power ' +
      'would not undo, as `/images/{id}/ranges` counts them.',
    type: 'integer',
    format: 'int64',
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    example: 1_048_576,
  })
  durable_bytes?: number;

  @ApiPropertyOptional({
    description:
      'With `Upload-Parallel: ?1`: whether the same request may succeed when it is sent again as it is, ' +
      'after `Retry-After` where that is given.',
    example: false,
  })
  retryable?: boolean;

  @ApiProperty({
    required: false,
    description: 'Of a digest that did not match: by which algorithm.',
    enum: ['sha-256', 'sha-512'],
    example: 'sha-256',
  })
  algorithm?: string;

  @ApiProperty({
    name: 'provided-digest',
    required: false,
    description: 'Of a digest that did not match: the one that the request had, as in `Content-Digest`.',
    pattern: '^:[A-Za-z0-9+/=]+:$',
    maxLength: 100,
    example: ':RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:',
  })
  providedDigest?: string;
}
