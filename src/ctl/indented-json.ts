/**
 * The same JSON for people, with every digit of its numbers, also of those that no JavaScript number holds.
 */
export function indentedJson(json: string): string {
  return JSON.stringify(newJson.parse(json, keepDigits), undefined, 2);
}

function keepDigits(_key: string, value: unknown, { source }: { readonly source?: string }): unknown {
  return typeof value === 'number' && source !== undefined ? newJson.rawJSON(source) : value;
}

// TypeScript's library does not know these yet (ECMAScript 2026).
const newJson = JSON as typeof JSON & {
  readonly parse: (json: string, reviver: typeof keepDigits) => unknown;
  readonly rawJSON: (text: string) => unknown;
};
