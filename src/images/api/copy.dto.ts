import { ApiProperty, ApiPropertyOptional, ApiSchema } from '../../contract/decorators.js';
import { ticketIdCharactersMax, ticketIdExample } from '../../contract/schemas.js';
import { OptionalKey } from '../../framework/optional-key.decorator.js';
import { IsFlag, IsText } from '../../framework/value-checks.js';

/** POST /copies */
@ApiSchema({ name: 'Copy', description: 'Which tickets of this daemon to copy between, and how.' })
export class CopyDto {
  @ApiProperty({
    description: 'Id of the ticket whose image is read.',
    minLength: 1,
    maxLength: ticketIdCharactersMax,
    example: ticketIdExample,
  })
  @IsText({ minLength: 1, maxLength: ticketIdCharactersMax })
  source!: string;

  @ApiProperty({
    description: 'Id of the ticket whose image is written.',
    minLength: 1,
    maxLength: ticketIdCharactersMax,
    example: '9c1f0a52-5c6c-4f57-8a52-0d3f5f0c7b0e',
  })
  @IsText({ minLength: 1, maxLength: ticketIdCharactersMax })
  target!: string;

  @ApiPropertyOptional({
    description:
      'Copy only what changed since the checkpoint of the source. Its ticket must have dirty extents, and ' +
      'the target what there was at the checkpoint.',
    default: false,
    example: false,
  })
  @OptionalKey()
  @IsFlag()
  dirty?: boolean;

  @ApiPropertyOptional({
    description: 'Read both again in the end, and compare the digests of their blocks.',
    default: false,
    example: true,
  })
  @OptionalKey()
  @IsFlag()
  verify?: boolean;
}
