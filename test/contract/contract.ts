import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import type { RawAnswer } from '../e2e/raw-answers.js';
import { projectRoot } from '../support/project.js';

export type ContractName = 'daemon' | 'control' | 'proxy';

interface HeaderObject {
  readonly required?: boolean;
  readonly schema: { readonly type: string };
}

interface ResponseObject {
  readonly headers?: Readonly<Record<string, HeaderObject>>;
  readonly content?: Readonly<Record<string, unknown>>;
}

interface OperationObject {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, ResponseObject>>;
}

interface SchemaObject {
  readonly type?: string;
  additionalProperties?: boolean;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, SchemaObject>> };
}

export interface Operation {
  readonly id: string;
  readonly method: string;
  /** With parameters in braces. */
  readonly path: string;
  readonly statuses: readonly number[];
}

/**
 * Headers of HTTP itself, and those that every answer about images has for browsers: no
 * operation lists them.
 */
const httpHeaders = new Set([
  'connection',
  'content-length',
  'content-security-policy',
  'content-type',
  'date',
  'keep-alive',
  'transfer-encoding',
  'x-content-type-options',
]);

/** One of the committed documents, and whether what a service answers is what it says. */
export class Contract {
  private readonly document: Document;
  private readonly ajv: Ajv2020;

  constructor(readonly name: ContractName) {
    this.document = JSON.parse(
      readFileSync(join(projectRoot, 'openapi', `${name}.json`), 'utf8'),
    ) as Document;
    // Clients have to take properties that are added later; the service must not send
    // any that is not in the contract.
    for (const schema of Object.values(this.document.components.schemas))
      if (schema.type === 'object') schema.additionalProperties = false;
    this.ajv = new Ajv2020({ strict: false, allErrors: true });
    formats.default(this.ajv);
    this.ajv.addSchema(this.document, name);
  }

  get operations(): Operation[] {
    return Object.entries(this.document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, { operationId, responses }]) => ({
        id: operationId,
        method: method.toUpperCase(),
        path,
        statuses: Object.keys(responses).map(Number),
      })),
    );
  }

  /** @throws AssertionError unless the answer, head and body, is documented for the operation */
  check(operation: Operation, { status, headers, body, complete }: RawAnswer): void {
    const what = `${operation.id} ${status}`;
    const described =
      this.document.paths[operation.path]?.[operation.method.toLowerCase()]?.responses[String(status)];
    assert.ok(described, `${what} is not in the contract: ${body.slice(0, 500)}`);
    const pointer = this.pointerTo(described, pointerOf(operation, status));
    const response = this.at(pointer) as ResponseObject;
    assert.ok(complete, `${what} is shorter than its length`);
    this.checkHeaders(what, pointer, response, headers);

    const type = headers['content-type']?.split(';', 1)[0];
    const types = Object.keys(response.content ?? {});
    if (operation.method === 'HEAD' || types.length === 0) {
      assert.equal(body, '', `${what} has a body`);
      return;
    }
    assert.ok(
      type !== undefined && types.includes(type),
      `${what} is ${type}, documented: ${types.join(', ')}`,
    );
    if (type === 'application/octet-stream') return;
    const value: unknown = type.endsWith('json') ? JSON.parse(body) : body;
    this.validate([...pointer, 'content', type, 'schema'], value, `the body of ${what}`);
  }

  private checkHeaders(
    answer: string,
    pointer: readonly string[],
    response: ResponseObject,
    headers: RawAnswer['headers'],
  ): void {
    const documented = Object.entries(response.headers ?? {});
    for (const [name, described] of documented) {
      const headerPointer = this.pointerTo(described, [...pointer, 'headers', name]);
      const { required = false, schema } = this.at(headerPointer) as HeaderObject;
      const text = headers[name.toLowerCase()];
      const what = `${name} of ${answer}`;
      if (text === undefined) {
        assert.ok(!required, `${what} is missing`);
        continue;
      }
      const value = schema.type === 'integer' ? Number(text) : text;
      this.validate([...headerPointer, 'schema'], value, what);
    }
    const names = new Set(documented.map(([name]) => name.toLowerCase()));
    const unknown = Object.keys(headers).filter((name) => !names.has(name) && !httpHeaders.has(name));
    assert.deepEqual(unknown, [], `undocumented headers of ${answer}`);
  }

  /** Where the object is: at `pointer`, or where its reference leads. */
  private pointerTo(described: object, pointer: readonly string[]): readonly string[] {
    const reference = (described as { readonly $ref?: string }).$ref;
    return reference === undefined ? pointer : reference.replace('#/', '').split('/');
  }

  private at(pointer: readonly string[]): unknown {
    return pointer.reduce<unknown>(
      (value, name) => (value as Readonly<Record<string, unknown>>)[name],
      this.document,
    );
  }

  private validate(pointer: readonly string[], value: unknown, what: string): void {
    const reference = pointer
      .map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')))
      .join('/');
    const validate: ValidateFunction = this.ajv.compile({ $ref: `${this.name}#/${reference}` });
    assert.ok(validate(value), `${what}: ${this.ajv.errorsText(validate.errors)}`);
  }
}

function pointerOf({ path, method }: Operation, status: number): string[] {
  return ['paths', path, method.toLowerCase(), 'responses', String(status)];
}
