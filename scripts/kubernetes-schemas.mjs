// JSON schemas of Kubernetes kinds, made from the OpenAPI definitions that Kubernetes publishes. They are
// strict: a field that the API does not know is an error, where a server would silently drop it.

/**
 * One self-contained schema for each version of each kind.
 * @param definitions `definitions` of Kubernetes' swagger.json
 * @param {string[]} kinds
 * @returns {[string, object][]} name as kubeconform looks it up (`deployment-apps-v1`), and schema
 */
export function kindSchemas(definitions, kinds) {
  return Object.entries(definitions).flatMap(([name, definition]) =>
    (definition['x-kubernetes-group-version-kind'] ?? [])
      .filter(({ kind }) => kinds.includes(kind))
      .map(({ group, version, kind }) => [
        [kind.toLowerCase(), ...(group === '' ? [] : [group.split('.')[0]]), version].join('-'),
        { $ref: reference(name), definitions: closedDefinitions(definitions, [name]) },
      ]),
  );
}

/**
 * The definitions that `names` need, closed, without prose.
 * @returns {Record<string, object>}
 */
export function closedDefinitions(definitions, names) {
  const closed = {};
  for (const pending = [...names]; pending.length > 0;) {
    const name = pending.pop();
    if (name in closed) continue;
    closed[name] = overrides[name] ?? closedSchema(definitions[name]);
    pending.push(...referencesIn(closed[name]));
  }
  return Object.fromEntries(Object.entries(closed).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The schema with every object that lists its properties closed, and nothing in it that only people read. */
export function closedSchema(schema) {
  if (Array.isArray(schema)) return schema.map(closedSchema);
  if (typeof schema !== 'object' || schema === null) return schema;
  if (schema['x-kubernetes-int-or-string'] === true) return { type: ['integer', 'string'] };
  const { properties, ...rest } = schema;
  const kept = Object.entries(rest).filter(
    ([key]) =>
      !['description', 'default', 'format', 'title', 'example', 'nullable'].includes(key) &&
      !key.startsWith('x-'),
  );
  const closed = Object.fromEntries(kept.map(([key, value]) => [key, closedSchema(value)]));
  if (properties === undefined) return closed;
  closed.properties = Object.fromEntries(
    Object.entries(properties).map(([name, property]) => [name, closedSchema(property)]),
  );
  if (rest['x-kubernetes-preserve-unknown-fields'] !== true) closed.additionalProperties ??= false;
  return closed;
}

/** Where swagger.json says string and the API takes numbers as well, and what only the API server writes. */
const overrides = {
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': { type: 'object', additionalProperties: false },
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': { type: ['integer', 'string'] },
  'io.k8s.apimachinery.pkg.api.resource.Quantity': { type: ['number', 'string'] },
};

function reference(name) {
  return `#/definitions/${name}`;
}

function referencesIn(schema) {
  if (typeof schema !== 'object' || schema === null) return [];
  const own = typeof schema.$ref === 'string' ? [schema.$ref.slice(reference('').length)] : [];
  return [...own, ...Object.values(schema).flatMap(referencesIn)];
}
