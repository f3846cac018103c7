import { ValidateIf } from 'class-validator';

/**
 * The key may be absent. Unlike class-validator's `IsOptional` it may not be null, which would mean nothing.
 */
export const OptionalKey = (): PropertyDecorator =>
  ValidateIf((_object, value: unknown) => value !== undefined);
