import { IsBoolean, IsIn, IsInt, Max, Min } from 'class-validator';
import type { FlushOperationDto, ZeroOperationDto } from '../contract/image.dto.js';
import { OptionalKey } from '../http/optional-key.decorator.js';

type Operation = ZeroOperationDto['op'] | FlushOperationDto['op'];

/** PATCH /images/{id}: the checks of every operation, which the contract describes one by one. */
export class ImagePatchDto {
  @IsIn(['zero', 'flush'], { message: '$property must be "zero" or "flush"' })
  op!: Operation;

  @OptionalKey()
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  offset?: number;

  /** Required for zero. */
  @OptionalKey()
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  size?: number;

  @OptionalKey()
  @IsBoolean()
  flush?: boolean;
}
