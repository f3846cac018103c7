import type { FlushOperationDto, ZeroOperationDto } from '../../contract/image.dto.js';
import { OptionalKey } from '../../framework/optional-key.decorator.js';
import { IsFlag, IsInteger, IsWord } from '../../framework/value-checks.js';

type Operation = ZeroOperationDto['op'] | FlushOperationDto['op'];

/** PATCH /images/{id}: the checks of every operation, which the contract describes one by one. */
export class ImagePatchDto {
  @IsWord(['zero', 'flush'])
  op!: Operation;

  @OptionalKey()
  @IsInteger({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
  offset?: number;

  /** Required for zero. */
  @OptionalKey()
  @IsInteger({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
  size?: number;

  @OptionalKey()
  @IsFlag()
  flush?: boolean;
}
