import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { loadConfig } from '../../src/config/load-config.js';
import type { Role } from '../../src/config/role.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { render, scenarioFiles, skip } from './helm-tools.js';

describe('the configuration that the chart writes', { skip }, () => {
  for (const file of scenarioFiles) {
    test(`is taken by the service without a warning: ${file}`, async () => {
      const manifests = render(file.replace(/-values\.yaml$/, ''));
      for (const { metadata, data } of manifests.all('ConfigMap')) {
        const role = metadata.labels['app.kubernetes.io/component'] as Role;
        await using folder = await TemporaryFolder.create();
        await mkdir(folder.file('conf.d'));
        await writeFile(join(folder.path, 'conf.d', '50-chart.conf'), data?.['50-chart.conf'] ?? '');
        const { config, warnings } = loadConfig({
          role,
          confDir: folder.path,
          vendorDir: folder.file('none'),
          environment: {},
        });
        assert.deepEqual(warnings, []);

        const workload = manifests.one(role === 'daemon' ? 'DaemonSet' : 'Deployment');
        const pod = workload.spec.template.spec;
        assert.deepEqual(
          pod.containers[0]?.ports.map(({ containerPort }) => containerPort),
          [config.remote.port, config.metrics.port],
        );
        assert.ok(config.metrics.enable);
        assert.ok(!config.daemon.dropPrivileges);
        assert.ok(pod.terminationGracePeriodSeconds > config.limits.graceSeconds);
        assert.equal(config.control.enable, role === 'daemon');
      }
    });
  }
});
