// What changed between two OpenAPI documents so that a client generated from the older one may fail at a
// service of the newer one.
const methods = ['get', 'head', 'put', 'post', 'patch', 'delete', 'options'];

/**
 * @param {object} before document that clients were generated from
 * @param {object} after document of the service that they are going to meet
 * @returns {string[]} one line for each breaking change, sorted
 */
export function breakingChanges(before, after) {
  const changes = [];
  const report = (where, what) => changes.push(`${where}: ${what}`);
  for (const [path, item] of Object.entries(before.paths)) {
    for (const method of methods.filter((name) => item[name] !== undefined)) {
      const where = `${method.toUpperCase()} ${path}`;
      const operation = after.paths[path]?.[method];
      if (operation === undefined) report(where, 'operation removed');
      else compareOperation(where, item[method], operation, { before, after, report });
    }
  }
  return [...new Set(changes)].sort();
}

function compareOperation(where, old, current, documents) {
  const { report } = documents;
  if (old.operationId !== current.operationId)
    report(where, `operationId ${old.operationId} became ${current.operationId}`);
  compareParameters(where, old.parameters ?? [], current.parameters ?? [], documents);
  compareSecurity(where, old, current, documents);
  compareContent(`${where} request`, old.requestBody?.content, current.requestBody?.content, {
    ...documents,
    sent: true,
  });
  if (current.requestBody?.required === true && old.requestBody?.required !== true)
    report(where, 'request body became required');
  for (const [status, described] of Object.entries(old.responses)) {
    const response = resolve(described, documents.before);
    const there = resolve(current.responses[status], documents.after);
    if (there === undefined) {
      // A refusal that cannot come any more harms nobody.
      if (status < '400') report(where, `status ${status} removed`);
      continue;
    }
    const what = `${where} ${status}`;
    compareContent(what, response.content, there.content, { ...documents, sent: false });
    for (const [name, describedHeader] of Object.entries(response.headers ?? {})) {
      const header = resolve(describedHeader, documents.before);
      const now = resolve(there.headers?.[name], documents.after);
      if (header.required === true && now?.required !== true)
        report(what, `header ${name} is not certain any more`);
      else if (now === undefined) report(what, `header ${name} removed`);
    }
  }
}

function compareParameters(where, old, current, documents) {
  const key = (parameter) => `${parameter.in} ${parameter.name}`;
  const byKey = (parameters) => new Map(parameters.map((parameter) => [key(parameter), parameter]));
  const [before, after] = [byKey(old), byKey(current)];
  for (const [name, parameter] of before) {
    const there = after.get(name);
    if (there === undefined) documents.report(where, `parameter ${name} removed`);
    else compareSchema(`${where} ${name}`, parameter.schema, there.schema, { ...documents, sent: true });
  }
  for (const [name, parameter] of after)
    if (parameter.required === true && before.get(name)?.required !== true)
      documents.report(where, `parameter ${name} became required`);
}

/** Each way to be authorised must go on to work. */
function compareSecurity(where, old, current, { before, after, report }) {
  const waysOf = (operation, document) =>
    (operation.security ?? document.security ?? []).map((way) => Object.keys(way).sort().join(' and '));
  const [ways, now] = [waysOf(old, before), waysOf(current, after)];
  if (now.length === 0 || now.includes('')) return;
  if (ways.length === 0) ways.push('');
  for (const way of ways.filter((name) => !now.includes(name)))
    report(where, `${way === '' ? 'no credential' : way} does not suffice any more`);
}

function compareContent(where, old = {}, current = {}, context) {
  for (const [type, { schema }] of Object.entries(old)) {
    if (current[type] === undefined) context.report(where, `${type} removed`);
    else compareSchema(where, schema, current[type].schema, context);
  }
}

/**
 * @param context `sent`: the value goes from client to service, so the service may become less strict, not
 * stricter
 */
function compareSchema(where, oldSchema, currentSchema, context) {
  const old = resolve(oldSchema, context.before);
  const current = resolve(currentSchema, context.after);
  const { report, sent } = context;
  if (old === undefined || current === undefined) return;
  // A value that may be null has a list of types.
  if (String(old.type) !== String(current.type)) report(where, `type ${old.type} became ${current.type}`);
  if (old.format !== current.format) report(where, `format ${old.format} became ${current.format}`);
  compareBounds(where, old, current, context);
  compareValues(where, old, current, context);
  compareAlternatives(where, old, current, context);
  if (old.items !== undefined && current.items !== undefined)
    compareSchema(`${where}[]`, old.items, current.items, context);
  for (const [name, property] of Object.entries(old.properties ?? {})) {
    const there = current.properties?.[name];
    if (there === undefined) report(where, `property ${name} removed`);
    else compareSchema(`${where}.${name}`, property, there, context);
  }
  const [required, nowRequired] = [old.required ?? [], current.required ?? []];
  const [stricter, what] = sent
    ? [nowRequired.filter((name) => !required.includes(name)), 'became required']
    : [required.filter((name) => !nowRequired.includes(name)), 'is not certain any more'];
  for (const name of stricter) report(where, `property ${name} ${what}`);
}

function compareBounds(where, old, current, { report, sent }) {
  for (const [name, tightens] of [
    ['minimum', (from, to) => to > from],
    ['minLength', (from, to) => to > from],
    ['minItems', (from, to) => to > from],
    ['maximum', (from, to) => to < from],
    ['maxLength', (from, to) => to < from],
    ['maxItems', (from, to) => to < from],
  ]) {
    const unbounded = name.startsWith('min') ? -Infinity : Infinity;
    const [from, to] = [old[name] ?? unbounded, current[name] ?? unbounded];
    // What the client is sent may only be less than it was prepared for.
    if (sent ? tightens(from, to) : tightens(to, from)) report(where, `${name} ${from} became ${to}`);
  }
  if (sent && current.pattern !== undefined && old.pattern !== current.pattern)
    report(where, `pattern ${old.pattern} became ${current.pattern}`);
}

function compareValues(where, old, current, { report, sent }) {
  if (sent) {
    if (current.enum === undefined) return;
    const lost = old.enum?.filter((value) => !current.enum.includes(value));
    if (lost === undefined) report(where, 'only certain values are taken now');
    for (const value of lost ?? []) report(where, `value ${JSON.stringify(value)} is not taken any more`);
    return;
  }
  if (old.enum === undefined) return;
  const added = current.enum?.filter((value) => !old.enum.includes(value));
  if (added === undefined) report(where, 'any value may come now');
  for (const value of added ?? []) report(where, `value ${JSON.stringify(value)} may come now`);
}

/** Alternatives have names of schemas. */
function compareAlternatives(where, old, current, context) {
  if (old.oneOf === undefined && current.oneOf === undefined) return;
  const names = (schema) => (schema.oneOf ?? []).map(({ $ref }) => $ref);
  const [before, after] = [names(old), names(current)];
  const [from, to] = context.sent ? [before, after] : [after, before];
  for (const name of from.filter((one) => !to.includes(one)))
    context.report(where, `alternative ${name} ${context.sent ? 'removed' : 'added'}`);
  for (const $ref of before.filter((one) => after.includes(one)))
    compareSchema(`${where} ${$ref.split('/').at(-1)}`, { $ref }, { $ref }, context);
}

function resolve(schema, document) {
  if (schema?.$ref === undefined) return schema;
  const parts = schema.$ref.replace(/^#\//, '').split('/');
  return parts.reduce((value, part) => value?.[part.replaceAll('~1', '/').replaceAll('~0', '~')], document);
}
