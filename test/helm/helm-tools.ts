import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load, loadAll } from 'js-yaml';
import { projectRoot } from '../support/project.js';
import type { Kind, KubernetesObject, PodSpec } from './kubernetes-objects.js';

export const chartFolder = join(projectRoot, 'helm', 'ovirt-imageio');

/** A release of Kubernetes that the chart supports; helm would ask the cluster. */
export const kubernetesVersion = '1.34.0';

interface InstalledTools {
  readonly helm: string;
  readonly kubeconform: string;
  /** Folder with one JSON schema for each kind and version. */
  readonly schemas: string;
  /** File with the OpenAPI definitions of Kubernetes. */
  readonly kubernetesApi: string;
}

const found = JSON.parse(
  execFileSync(process.execPath, [join(projectRoot, 'scripts', 'helm-tools.mjs')], { encoding: 'utf8' }),
) as InstalledTools | { readonly missing: string };

/** For the `skip` option of node:test: false, or why there is no helm. */
export const skip = 'missing' in found ? found.missing : false;

/** @throws when they could not be installed; tests that use it are skipped then */
export function tools(): InstalledTools {
  if ('missing' in found) throw new Error(found.missing);
  return found;
}

/** Values of one scenario each, which must all render. */
export const scenarioFiles = readdirSync(join(chartFolder, 'ci')).sort();

/** Runs helm. @throws with what it printed when it fails */
export function helm(...args: readonly string[]): string {
  return execFileSync(tools().helm, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** The manifests that a ci file, with `--set` expressions laid over it, gives. */
export function renderText(scenario: string, ...sets: readonly string[]): string {
  return helm(
    ...['template', 'release', chartFolder, '--namespace', 'storage', '--kube-version', kubernetesVersion],
    ...['--values', join(chartFolder, 'ci', `${scenario}-values.yaml`)],
    ...sets.flatMap((set) => ['--set', set]),
  );
}

export function render(scenario: string, ...sets: readonly string[]): Manifests {
  return new Manifests(loadAll(renderText(scenario, ...sets)).filter((document) => document !== null));
}

export class Manifests {
  readonly objects: readonly KubernetesObject[];

  constructor(documents: readonly unknown[]) {
    this.objects = documents as readonly KubernetesObject[];
  }

  all<K extends Kind>(kind: K): readonly KubernetesObject<K>[] {
    return this.objects.filter((object): object is KubernetesObject<K> => object.kind === kind);
  }

  /** @throws unless there is exactly one */
  one<K extends Kind>(kind: K): KubernetesObject<K> {
    const [object, ...others] = this.all(kind);
    if (object === undefined || others.length > 0) {
      throw new Error(`Expected one ${kind}, got ${this.all(kind).length}`);
    }
    return object;
  }

  named<K extends Kind>(kind: K, name: string): KubernetesObject<K> {
    const object = this.all(kind).find(({ metadata }) => metadata.name === name);
    if (object === undefined) throw new Error(`No ${kind} is named ${name}`);
    return object;
  }

  /** The pods of the component that is there alone. */
  get pod(): PodSpec {
    const [workload] = [...this.all('DaemonSet'), ...this.all('Deployment')];
    if (workload === undefined) throw new Error('No pods are made');
    return workload.spec.template.spec;
  }

  /** The INI file of the component that is there alone. */
  get configuration(): string {
    return this.one('ConfigMap').data?.['50-chart.conf'] ?? '';
  }
}

/** The reason with which helm refuses values. @throws when it takes them */
export function refusal(scenario: string, ...sets: readonly string[]): string {
  try {
    renderText(scenario, ...sets);
  } catch (error: unknown) {
    return String((error as { stderr: unknown }).stderr);
  }
  throw new Error(`helm accepts ${sets.join(' ')}`);
}

export function readYaml(file: string): unknown {
  return load(readFileSync(file, 'utf8'));
}
