import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, test } from 'node:test';
import { loadAll } from 'js-yaml';
import { shellBlocksOf } from '../docs/shell-blocks.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { needs } from '../support/requirements.js';
import { chartFolder, Manifests, readYaml, skip, tools } from './helm-tools.js';
import type { PersistentVolumeClaim } from './kubernetes-objects.js';

const blocks = shellBlocksOf(
  'helm/ovirt-imageio/README.md',
  readFileSync(join(chartFolder, 'README.md'), 'utf8'),
);

describe('the README of the chart', { skip: skip || needs('sh', 'openssl') }, () => {
  test('leads from an own image and a claim to manifests that Kubernetes takes', async () => {
    await using folder = await TemporaryFolder.create();
    const chart = folder.file('chart');
    cpSync(chartFolder, chart, { recursive: true });
    mkdirSync(folder.file('bin'));
    symlinkSync(tools().helm, folder.file('bin/helm'));
    const commands = blocks.filter(({ trial }) => trial?.kind === 'run by').map((block) => block.commands);
    assert.equal(commands.length, 1);
    execFileSync('sh', ['-e', '-c', commands[0] ?? ''], {
      cwd: chart,
      env: { ...process.env, PATH: [folder.file('bin'), process.env['PATH']].join(delimiter) },
      stdio: 'pipe',
    });

    const location = join(tools().schemas, '{{.ResourceKind}}{{.KindSuffix}}.json');
    const files = ['claim.yaml', 'manifests.yaml'].map((name) => join(chart, name));
    execFileSync(tools().kubeconform, ['-strict', '-schema-location', location, ...files], { stdio: 'pipe' });

    const read = (name: string): unknown[] => loadAll(readFileSync(join(chart, name), 'utf8'));
    const { appVersion } = readYaml(join(chartFolder, 'Chart.yaml')) as { appVersion: string };
    const [claim] = read('claim.yaml') as PersistentVolumeClaim[];
    const pod = new Manifests(read('manifests.yaml').filter((document) => document !== null)).one('DaemonSet')
      .spec.template.spec;
    assert.equal(pod.containers[0]?.image, `registry.example.com/ovirt-imageio:${appVersion}`);
    assert.deepEqual(pod.volumes.find(({ name }) => name === 'claim-vm-disk')?.persistentVolumeClaim, {
      claimName: claim?.metadata.name,
      readOnly: false,
    });
    // What the commands before and after it make is what the manifests ask for.
    const all = blocks.map((block) => block.commands).join('\n');
    const secret = pod.volumes.find(({ name }) => name === 'tls')?.secret as { secretName: string };
    assert.ok(all.includes(`create secret tls ${secret.secretName} --cert=tls.crt --key=tls.key`));
    for (const file of ['tls.crt', 'tls.key']) assert.ok(existsSync(join(chart, file)));
    assert.ok(all.includes("VERSION=$(sed -n 's/^appVersion: //p' helm/ovirt-imageio/Chart.yaml)\n"));
    assert.ok(all.includes('podman push "registry.example.com/ovirt-imageio:$VERSION"\n'));
    assert.ok(all.includes(`create namespace ${claim?.metadata.namespace ?? 'none'}\n`));
  });
});
