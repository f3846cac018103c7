import { ValidationPipe, type ValidationError } from '@nestjs/common';
import { InvalidRequestError } from '../errors.js';

/**
 * Checks a body or query against its DTO class. Unknown keys are dropped, because newer engines send more than we know.
 * @param what begins the text of the refusal: `Invalid ticket: size must be …`
 */
export function validationPipe(what: string): ValidationPipe {
  return new ValidationPipe({
    transform: true,
    whitelist: true,
    stopAtFirstError: true,
    // Would echo what was sent, secrets among it.
    validationError: { target: false, value: false },
    exceptionFactory: (errors) => new InvalidRequestError(`Invalid ${what}: ${reasons(errors).join('; ')}`),
  });
}

function reasons(errors: readonly ValidationError[]): string[] {
  return errors.flatMap(({ constraints = {}, children = [] }) => [
    ...Object.values(constraints),
    ...reasons(children),
  ]);
}
