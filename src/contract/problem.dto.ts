import { ApiProperty, ApiSchema } from './decorators.js';

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
    pattern: '^urn:ovirt-imageio:error:[a-z_]+$',
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
}
