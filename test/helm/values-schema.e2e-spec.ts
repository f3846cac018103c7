import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { describeOptions } from '../../src/config/describe-options.js';
import { projectRoot } from '../support/project.js';
import { configSchema } from './chart-schema.js';
import { chartFolder, readYaml, refusal, render, skip, tools } from './helm-tools.js';

interface Schema {
  readonly definitions: Readonly<Record<string, unknown>>;
  readonly properties: Readonly<Record<string, unknown>>;
}

const schemaFile = join(chartFolder, 'values.schema.json');
const schema = JSON.parse(readFileSync(schemaFile, 'utf8')) as Schema;

interface SchemaMaker {
  readonly closedDefinitions: (definitions: object, names: readonly string[]) => Record<string, unknown>;
}
const { closedDefinitions } = (await import(
  pathToFileURL(join(projectRoot, 'scripts', 'kubernetes-schemas.mjs')).href
)) as SchemaMaker;

describe('the schema of the values', { skip }, () => {
  test('takes the options from the configuration and the types of Kubernetes from its API', () => {
    const { definitions } = JSON.parse(readFileSync(tools().kubernetesApi, 'utf8')) as {
      definitions: object;
    };
    const options = describeOptions();
    const expected = {
      daemonConfig: configSchema('daemon', options),
      proxyConfig: configSchema('proxy', options),
      ...closedDefinitions(definitions, kubernetesTypes(schema.properties)),
    };
    if (process.env['UPDATE_GENERATED'] === '1') {
      const updated = { ...schema, definitions: expected };
      writeFileSync(schemaFile, `${JSON.stringify(updated, undefined, 2)}\n`);
      return;
    }
    assert.ok(
      isDeepStrictEqual(schema.definitions, expected),
      'values.schema.json is out of date: UPDATE_GENERATED=1 npm test -- helm/values-schema writes it anew',
    );
  });

  test('is closed: every object lists what it may have', () => {
    assert.deepEqual(openObjects(schema, '#'), ['#/properties/global']);
  });

  test('knows every value, and nothing that is no value', () => {
    const values = readYaml(join(chartFolder, 'values.yaml')) as object;
    assert.deepEqual(namesIn(schema.properties), ['global', ...Object.keys(values)].sort());
    for (const component of ['daemon', 'proxy'] as const) {
      const own = (values as Record<string, object>)[component] ?? {};
      const described = schema.properties[component] as { properties: object };
      assert.deepEqual(namesIn(described.properties), Object.keys(own).sort());
    }
  });

  test('is matched by the table of values in the README', () => {
    const values = readYaml(join(chartFolder, 'values.yaml'));
    const readme = readFileSync(join(chartFolder, 'README.md'), 'utf8');
    const rows = [...readme.matchAll(/^\| `([\w.]+)` +\| (?:empty|`(.*?)`) +\| \S/gm)];
    assert.deepEqual(
      rows.map(([, path, value]) => [path, shown(valueAt(values, path ?? '')), value ?? 'empty']),
      rows.map(([, path, value]) => [path, value ?? 'empty', value ?? 'empty']),
    );
    const described = rows.map(([, path]) => path ?? '');
    assert.deepEqual(
      leaves(values, '').filter(
        (path) => !described.some((row) => path === row || path.startsWith(`${row}.`)),
      ),
      [],
    );
  });

  const misspelt: readonly (readonly [string, string])[] = [
    ['proxy.replica=2', 'replica'],
    ['daemon.config.limits.bufer_bytes=1', 'bufer_bytes'],
    ['daemon.config.limit.buffer_bytes=1', 'limit'],
    ['proxy.resources.limit.memory=1Gi', 'limit'],
    ['proxy.tolerations[0].keys=a', 'keys'],
    ['proxy.tls.certManager.issuerRef.names=a', 'names'],
  ];
  for (const [set, property] of misspelt) {
    test(`refuses ${set}`, () => {
      assert.match(
        refusal('both-components', set),
        new RegExp(`additional properties '${property}' not allowed`),
      );
    });
  }

  test('refuses options of the configuration that the chart itself sets', () => {
    for (const set of [
      'daemon.config.remote.port=1',
      'proxy.config.proxy.session_store=memory',
      'proxy.config.tls.enable=false',
      'daemon.config.control.socket=/tmp/sock',
      'daemon.config.limits.grace_sec=1',
    ]) {
      assert.match(refusal('both-components', set), /additional properties '\w+' not allowed/, set);
    }
  });

  test('refuses numbers beyond the bounds of an option', () => {
    assert.match(
      refusal('both-components', 'daemon.config.limits.buffer_bytes=1'),
      /minimum: got 1, want 65,536/,
    );
    assert.match(refusal('both-components', 'daemon.runAsUser=0'), /minimum: got 0, want 1/);
    assert.match(refusal('both-components', 'proxy.port=443'), /minimum: got 443, want 1,024/);
  });

  test('takes numbers at the bounds', () => {
    const manifests = render('both-components', 'daemon.config.limits.buffer_bytes=65536');
    assert.match(
      manifests.named('ConfigMap', 'imageio-daemon').data?.['50-chart.conf'] ?? '',
      /^buffer_bytes = 65536$/m,
    );
  });
});

function namesIn(properties: object): string[] {
  return Object.keys(properties).sort();
}

function valueAt(values: unknown, path: string): unknown {
  return path.split('.').reduce((part, name) => (part as Record<string, unknown>)[name], values);
}

/** As the README writes a default. */
function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return ['', '{}', '[]'].includes(text) ? 'empty' : text;
}

function leaves(part: unknown, path: string): string[] {
  if (typeof part !== 'object' || part === null || Array.isArray(part)) return [path];
  const names = Object.entries(part);
  if (names.length === 0) return [path];
  return names.flatMap(([name, value]) => leaves(value, path === '' ? name : `${path}.${name}`));
}

/** The types of Kubernetes that the written part refers to. */
function kubernetesTypes(part: unknown): string[] {
  const references = JSON.stringify(part).matchAll(/"#\/definitions\/(io\.k8s\.[^"]+)"/g);
  return [...new Set([...references].map(([, name]) => name ?? ''))];
}

/** Where a schema takes objects with names that it does not list, other than maps of one type of value. */
function openObjects(part: unknown, place: string): string[] {
  if (typeof part !== 'object' || part === null) return [];
  const { type, properties, additionalProperties } = part as Record<string, unknown>;
  const isMap = typeof additionalProperties === 'object';
  const isOpen =
    (type === 'object' || typeof properties === 'object') && additionalProperties !== false && !isMap;
  const isSchema = type === undefined || typeof type === 'string' || Array.isArray(type);
  return [
    ...(isSchema && isOpen ? [place] : []),
    ...Object.entries(part).flatMap(([key, value]) => openObjects(value, `${place}/${key}`)),
  ];
}
