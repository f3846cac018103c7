import type * as Library from '@nestjs/swagger';

/*
 * The decorators of @nestjs/swagger by which controllers and DTOs describe themselves for the contract. A
 * service never reads its contract off the code, and loading the library would make each start longer. So
 * these decorators only note what they are given, until somebody asks for the contract.
 */

type Decorators = Omit<typeof Library, 'getSchemaPath'>;

/** Names of decorators, by what they return. */
type DecoratorName = {
  [Name in keyof Decorators]: Decorators[Name] extends (
    ...options: never[]
  ) => ClassDecorator | MethodDecorator | PropertyDecorator
    ? Name
    : never;
}[keyof Decorators];

type AnyFunction = (...values: unknown[]) => unknown;

/** In the order in which they would have been applied, on which the order within the contract depends. */
const noted: ((library: typeof Library) => void)[] = [];

/**
 * Applies what has been described since the last time. To be called before a contract is made.
 * @param library the module of @nestjs/swagger; only who makes a contract imports it
 */
export function applyDescriptions(library: typeof Library): void {
  for (const apply of noted.splice(0)) apply(library);
}

function later<Name extends DecoratorName>(name: Name): Decorators[Name] {
  const decorator: AnyFunction =
    (...options) =>
    (...target: unknown[]) => {
      noted.push((library) => {
        const apply = (library[name] as AnyFunction)(...options) as AnyFunction;
        apply(...target);
      });
    };
  return decorator as unknown as Decorators[Name];
}

export const ApiBody = later('ApiBody');
export const ApiConsumes = later('ApiConsumes');
export const ApiExcludeEndpoint = later('ApiExcludeEndpoint');
export const ApiExtraModels = later('ApiExtraModels');
export const ApiHeader = later('ApiHeader');
export const ApiNoContentResponse = later('ApiNoContentResponse');
export const ApiOkResponse = later('ApiOkResponse');
export const ApiOperation = later('ApiOperation');
export const ApiParam = later('ApiParam');
export const ApiProperty = later('ApiProperty');
export const ApiPropertyOptional = later('ApiPropertyOptional');
export const ApiQuery = later('ApiQuery');
export const ApiResponse = later('ApiResponse');
export const ApiSecurity = later('ApiSecurity');
export const ApiTags = later('ApiTags');

const componentNames = new WeakMap<object, string>();

/** Describes a DTO as a component of the contract. @param options with the name of the component */
export function ApiSchema(options: { readonly name: string; readonly description: string }): ClassDecorator {
  const note = describeSchema(options);
  return (type) => {
    componentNames.set(type, options.name);
    note(type);
  };
}

const describeSchema = later('ApiSchema');

/** Where the contract has a DTO. @throws TypeError when it is not described by `ApiSchema` */
export function getSchemaPath(type: abstract new () => object): string {
  const name = componentNames.get(type);
  if (name === undefined) throw new TypeError(`${type.name} is not described`);
  return `#/components/schemas/${name}`;
}
