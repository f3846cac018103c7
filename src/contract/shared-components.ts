import type { OpenAPIObject } from '@nestjs/swagger';
import { codeOfStatus } from './refusals.js';

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;
type Response = NonNullable<Operation['responses'][string]>;
type Headers = Record<string, object>;

export const methods = ['get', 'head', 'put', 'patch', 'post', 'delete', 'options'] as const;

/**
 * Moves what several operations have alike into components and puts references in its place: refusals, and
 * headers of any response. A reader then sees that they are the same, and the document has half the size.
 */
export function shareComponents(document: OpenAPIObject): void {
  const operations = Object.values(document.paths).flatMap((path) =>
    methods.flatMap((method) => path[method] ?? []),
  );
  const responses = shareRefusals(operations);
  const inline = operations.flatMap(({ responses }) => Object.values(responses).filter(isInline));
  const headers = shareHeaders([...inline, ...Object.values(responses)]);
  document.components = { ...document.components, responses, headers };
}

function shareRefusals(operations: readonly Operation[]): Record<string, Response> {
  const groups = new Map<string, Refusal[]>();
  for (const operation of operations) {
    for (const [status, response] of Object.entries(operation.responses)) {
      if (Number(status) < 400 || response === undefined) continue;
      const text = `${status} ${JSON.stringify(response)}`;
      groups.set(text, [...(groups.get(text) ?? []), { operation, status, response }]);
    }
  }
  const components: Record<string, Response> = {};
  const allTags = tagsOf(operations);
  for (const group of mostUsedFirst(groups.values())) {
    const [first] = group;
    const name = nameOf(group, allTags);
    if (first === undefined || group.length === 1 || Object.hasOwn(components, name)) continue;
    components[name] = first.response;
    for (const { operation, status } of group)
      operation.responses[status] = { $ref: `#/components/responses/${name}` };
  }
  return sorted(components);
}

interface Refusal {
  readonly operation: Operation;
  readonly status: string;
  readonly response: Response;
}

/**
 * Of the kind of the refusal, after the group of operations that it belongs to, if that is one of several:
 * `ImagesNotAllowed`.
 */
function nameOf(group: readonly Refusal[], allTags: ReadonlySet<string>): string {
  const tags = tagsOf(group.map(({ operation }) => operation));
  const prefix = tags.size === 1 && allTags.size > 1 ? tags : [];
  const status = Number(group[0]?.status) as keyof typeof codeOfStatus;
  return pascalCase([...prefix, codeOfStatus[status]].join('_'));
}

function tagsOf(operations: readonly Operation[]): ReadonlySet<string> {
  return new Set(operations.flatMap(({ tags = [] }) => tags));
}

function pascalCase(text: string): string {
  return text.replaceAll(/(?:^|[_-])([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function shareHeaders(responses: readonly Response[]): Headers {
  const groups = new Map<string, { readonly name: string; readonly headers: Headers }[]>();
  for (const { headers = {} } of responses as readonly { headers?: Headers }[]) {
    for (const [name, header] of Object.entries(headers)) {
      const text = `${name} ${JSON.stringify(header)}`;
      groups.set(text, [...(groups.get(text) ?? []), { name, headers }]);
    }
  }
  const components: Headers = {};
  for (const group of mostUsedFirst(groups.values())) {
    const [first] = group;
    const header = first?.headers[first.name];
    if (first === undefined || header === undefined) continue;
    if (group.length === 1 || Object.hasOwn(components, first.name)) continue;
    components[first.name] = header;
    for (const { name, headers } of group) headers[name] = { $ref: `#/components/headers/${name}` };
  }
  return sorted(components);
}

/** Groups of the same size stay in their order. */
function mostUsedFirst<Member>(groups: Iterable<readonly Member[]>): readonly (readonly Member[])[] {
  return [...groups].sort((one, other) => other.length - one.length);
}

function sorted<Value>(components: Readonly<Record<string, Value>>): Record<string, Value> {
  return Object.fromEntries(Object.entries(components).sort(([one], [other]) => (one < other ? -1 : 1)));
}

function isInline(response: Response | undefined): response is Response {
  return response !== undefined && !('$ref' in response);
}
