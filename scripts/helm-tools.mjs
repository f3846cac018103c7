// Installs helm, kubeconform and the schemas that a chart is checked against into .tools/, once, from Go
// modules. Prints as JSON where they are: {"helm", "kubeconform", "schemas", "kubernetesApi"}, or {"missing":
// "why"}.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { hasProgram, projectRoot } from './console.mjs';
import { closedSchema, kindSchemas } from './kubernetes-schemas.mjs';

const programs = {
  helm: 'helm.sh/helm/v3/cmd/helm@v3.22.0',
  kubeconform: 'github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0',
};

/** Modules that carry API definitions, the files with them, and the kinds that are taken. */
const kubernetes = {
  module: 'k8s.io/kubernetes@v1.37.2',
  file: 'api/openapi-spec/swagger.json',
  kinds: [
    'ConfigMap',
    'DaemonSet',
    'Deployment',
    'HorizontalPodAutoscaler',
    'Ingress',
    'NetworkPolicy',
    'PersistentVolumeClaim',
    'Pod',
    'PodDisruptionBudget',
    'Service',
    'ServiceAccount',
  ],
};
const gatewayCrds = 'config/crd/standard/gateway.networking.k8s.io_';
const customResources = [
  {
    module: 'sigs.k8s.io/gateway-api@v1.6.3',
    files: ['httproutes', 'tlsroutes', 'backendtlspolicies'].map((kind) => `${gatewayCrds}${kind}.yaml`),
  },
  {
    module: 'github.com/prometheus-operator/prometheus-operator@v0.85.0',
    files: ['prometheusrules', 'servicemonitors'].map(
      (kind) => `example/prometheus-operator-crd/monitoring.coreos.com_${kind}.yaml`,
    ),
  },
  {
    module: 'github.com/cert-manager/cert-manager@v1.21.2',
    files: ['deploy/crds/cert-manager.io_certificates.yaml'],
  },
];

const toolsFolder = join(projectRoot, '.tools');
const installSecondsMax = 540;

console.log(JSON.stringify(helmTools()));

function helmTools() {
  if (!hasProgram('go')) return { missing: 'needs go, which helm and kubeconform are built with' };
  mkdirSync(toolsFolder, { recursive: true });
  try {
    const installed = Object.entries(programs).map(([name, source]) => [name, installProgram(name, source)]);
    return { ...Object.fromEntries(installed), ...installSchemas() };
  } catch (error) {
    const [line] = String(error.stderr ?? error.message)
      .trim()
      .split('\n')
      .slice(-1);
    return { missing: `needs helm and kubeconform, which could not be installed: ${line}` };
  }
}

/** Built aside and renamed when complete, so that two test files may both begin to install. */
function installProgram(name, source) {
  const path = join(toolsFolder, `${name}-${source.split('@')[1]}`);
  if (existsSync(path)) return path;
  aside((folder) => {
    go(['install', source], { GOBIN: folder });
    renameSync(join(folder, name), path);
  });
  return path;
}

function installSchemas() {
  const modules = [kubernetes, ...customResources].map(({ module }) => module);
  const kinds = createHash('sha256')
    .update(JSON.stringify([kubernetes, customResources]))
    .digest('hex');
  const versions = modules.map((module) => module.split('@')[1]).join('-');
  const name = `schemas-${versions}-${kinds.slice(0, 8)}`;
  const schemas = join(toolsFolder, name);
  const kubernetesApi = join(schemas, 'kubernetes-api.json');
  if (existsSync(kubernetesApi)) return { schemas, kubernetesApi };
  aside((folder) => {
    const api = readModuleFile(kubernetes.module, kubernetes.file);
    const { definitions } = JSON.parse(api);
    writeSchemas(folder, kindSchemas(definitions, kubernetes.kinds));
    for (const { module, files } of customResources)
      for (const file of files) writeSchemas(folder, customSchemas(load(readModuleFile(module, file))));
    writeFileSync(join(folder, 'kubernetes-api.json'), api);
    rmSync(schemas, { recursive: true, force: true });
    renameSync(folder, schemas);
  });
  return { schemas, kubernetesApi };
}

/** @returns {[string, object][]} one schema for each version of the kind that a definition has */
function customSchemas({ spec }) {
  const [group] = spec.group.split('.');
  return spec.versions.map(({ name, schema }) => [
    `${spec.names.kind.toLowerCase()}-${group}-${name}`,
    closedSchema(schema.openAPIV3Schema),
  ]);
}

function writeSchemas(folder, schemas) {
  for (const [name, schema] of schemas) writeFileSync(join(folder, `${name}.json`), JSON.stringify(schema));
}

function readModuleFile(module, file) {
  const { Dir: folder } = JSON.parse(go(['mod', 'download', '-json', module]));
  return readFileSync(join(folder, file), 'utf8');
}

function go(args, environment = {}) {
  return execFileSync('go', args, {
    cwd: toolsFolder,
    env: { ...process.env, ...environment },
    encoding: 'utf8',
    timeout: installSecondsMax * 1000,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function aside(work) {
  const folder = mkdtempSync(join(toolsFolder, '.new-'));
  try {
    work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
