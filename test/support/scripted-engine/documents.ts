/**
 * What the API sends and takes, in its JSON form: all that is no structure is text there, numbers and
 * booleans too.
 */
export type ApiValue = string | ApiDocument | readonly ApiDocument[];
export interface ApiDocument {
  readonly [name: string]: ApiValue | undefined;
}

/** The same as XML: `id` and `href` are attributes, entries of a list are elements of the list's name. */
export function toXml(name: string, document: ApiDocument): string {
  const entries = Object.entries(document).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value }],
  );
  const attributes = entries.filter(({ key, value }) => isAttribute(key) && typeof value === 'string');
  const inner = entries
    .filter((entry) => !attributes.includes(entry))
    .map(({ key, value }) => elements(key, value))
    .join('');
  const head = attributes.map(({ key, value }) => ` ${key}="${escaped(value as string)}"`).join('');
  return `<${name}${head}>${inner}</${name}>`;
}

/** Reads what the Python SDK writes: elements, attributes and text. */
export function fromXml(text: string): ApiDocument {
  const tokens = text.matchAll(/<(\/?)([a-z_]+)([^>]*?)(\/?)>|([^<]+)/g);
  const root = new Element('');
  const open = [root];
  for (const [, closes, name, attributes = '', isEmpty, words] of tokens) {
    if (name === undefined) open.at(-1)!.text += unescaped(words ?? '');
    else if (closes === '/') open.pop();
    else {
      const element = new Element(name);
      for (const [, key, value] of attributes.matchAll(/([a-z]+)="([^"]*)"/g))
        element.attributes[key!] = unescaped(value!);
      open.at(-1)!.children.push(element);
      if (isEmpty !== '/') open.push(element);
    }
  }
  return root.children[0]?.document() ?? {};
}

class Element {
  readonly attributes: Record<string, string> = {};
  readonly children: Element[] = [];
  text = '';

  constructor(readonly name: string) {}

  document(): ApiDocument {
    const document: Record<string, ApiValue> = { ...this.attributes };
    for (const child of this.children) {
      const isText = child.children.length === 0 && Object.keys(child.attributes).length === 0;
      const value = isText ? child.text.trim() : child.document();
      // The API names a list by the plural of what is in it.
      document[child.name] =
        `${child.name}s` === this.name && !isText ? listed(document, child.name, value) : value;
    }
    return document;
  }
}

function listed(document: Record<string, ApiValue>, name: string, value: ApiValue): readonly ApiDocument[] {
  const before = (document[name] ?? []) as readonly ApiDocument[];
  return [...before, value as ApiDocument];
}

function isAttribute(key: string): boolean {
  return key === 'id' || key === 'href';
}

function elements(key: string, value: ApiValue): string {
  if (typeof value === 'string') return `<${key}>${escaped(value)}</${key}>`;
  if (isList(value)) return value.map((entry) => toXml(key, entry)).join('');
  return toXml(key, value);
}

function isList(value: ApiDocument | readonly ApiDocument[]): value is readonly ApiDocument[] {
  return Array.isArray(value);
}

const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' } as const;

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => entities[character as keyof typeof entities]);
}

function unescaped(text: string): string {
  return Object.entries(entities)
    .reverse()
    .reduce((plain, [character, entity]) => plain.replaceAll(entity, character), text);
}
