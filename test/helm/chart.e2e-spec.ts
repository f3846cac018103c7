import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { projectRoot } from '../support/project.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import {
  chartFolder,
  helm,
  kubernetesVersion,
  readYaml,
  refusal,
  render,
  renderText,
  scenarioFiles,
  skip,
  tools,
} from './helm-tools.js';

describe('the chart', { skip }, () => {
  test('is clean for helm lint, by itself and with every scenario', () => {
    const values = scenarioFiles.flatMap((file) => ['--values', join(chartFolder, 'ci', file)]);
    assert.match(helm('lint', '--strict', '--quiet', chartFolder), /^$/);
    for (let index = 0; index < values.length; index += 2) {
      assert.match(helm('lint', '--strict', '--quiet', chartFolder, ...values.slice(index, index + 2)), /^$/);
    }
  });

  for (const file of scenarioFiles) {
    test(`makes objects that Kubernetes takes: ${file}`, () => {
      const manifests = renderText(file.replace(/-values\.yaml$/, ''));
      const location = join(tools().schemas, '{{.ResourceKind}}{{.KindSuffix}}.json');
      const report = execFileSync(
        tools().kubeconform,
        ['-strict', '-summary', '-output', 'json', '-schema-location', location],
        { input: manifests, encoding: 'utf8' },
      );
      const { summary } = JSON.parse(report) as { summary: Record<string, number> };
      const objects = render(file.replace(/-values\.yaml$/, '')).objects.length;
      assert.deepEqual(summary, { valid: objects, invalid: 0, errors: 0, skipped: 0 });
    });
  }

  test('is checked by schemas that know no other fields', () => {
    const wrong = renderText('proxy-existing-secrets').replace(
      'terminationGracePeriodSeconds',
      'gracePeriod',
    );
    const location = join(tools().schemas, '{{.ResourceKind}}{{.KindSuffix}}.json');
    assert.throws(
      () =>
        execFileSync(tools().kubeconform, ['-strict', '-schema-location', location], {
          input: wrong,
          stdio: 'pipe',
        }),
      (error: unknown) =>
        /additional properties 'gracePeriod' not allowed/.test(String((error as { stdout: unknown }).stdout)),
    );
  });

  test('deploys the version of the service that it lies beside', () => {
    const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
      version: string;
    };
    const chart = readYaml(join(chartFolder, 'Chart.yaml')) as { appVersion: string };
    assert.equal(chart.appVersion, version);
    assert.match(renderText('proxy-existing-secrets'), new RegExp(`image: ovirt-imageio:${version}$`, 'm'));
  });

  test('takes the digest of an image before its tag', () => {
    const digest = `sha256:${'0'.repeat(64)}`;
    const { spec } = render('proxy-existing-secrets', `image.digest=${digest}`).one('Deployment');
    assert.equal(spec.template.spec.containers[0]?.image, `ovirt-imageio@${digest}`);
  });

  test('keeps selectors apart from labels that may change', () => {
    const { spec, metadata } = render('proxies-ingress-redis').one('Deployment');
    assert.deepEqual(Object.keys(spec.selector.matchLabels).sort(), [
      'app.kubernetes.io/component',
      'app.kubernetes.io/instance',
      'app.kubernetes.io/name',
    ]);
    assert.equal(metadata.labels['team'], 'storage');
    assert.equal(spec.template.metadata.labels['team'], 'storage');
    // A new chart alone must not replace pods, which cuts transfers.
    assert.equal(spec.template.metadata.labels['helm.sh/chart'], undefined);
  });

  test('replaces pods when the configuration changes, and only then', () => {
    const checksum = (...sets: string[]): unknown =>
      render('proxy-existing-secrets', ...sets).one('Deployment').spec.template.metadata.annotations?.[
        'checksum/config'
      ];
    assert.equal(checksum(), checksum('proxy.service.port=8443'));
    assert.notEqual(checksum(), checksum('proxy.config.logging.level=debug'));
  });

  test('lets no pod have a token of the Kubernetes API', () => {
    const manifests = render('both-components', 'serviceAccount.create=true');
    assert.equal(manifests.one('ServiceAccount').automountServiceAccountToken, false);
    for (const { spec } of [...manifests.all('Deployment'), ...manifests.all('DaemonSet')]) {
      assert.equal(spec.template.spec.automountServiceAccountToken, false);
    }
  });

  test('probes both components by the name of the metrics port', () => {
    const manifests = render('both-components');
    for (const { spec } of [...manifests.all('Deployment'), ...manifests.all('DaemonSet')]) {
      const [container] = spec.template.spec.containers;
      assert.ok(container);
      assert.deepEqual(container.startupProbe.httpGet, { path: '/health/live', port: 'metrics' });
      assert.deepEqual(container.livenessProbe.httpGet, { path: '/health/live', port: 'metrics' });
      assert.deepEqual(container.readinessProbe.httpGet, { path: '/health/ready', port: 'metrics' });
    }
  });

  test('lets a pod live longer than the grace of the service', () => {
    const { spec } = render('proxy-existing-secrets', 'proxy.shutdownGraceSeconds=600').one('Deployment');
    assert.equal(spec.template.spec.terminationGracePeriodSeconds, 5 + 600 + 15);
    assert.deepEqual(spec.template.spec.containers[0]?.lifecycle, { preStop: { sleep: { seconds: 5 } } });
    const daemon = render('daemon-host-keys', 'daemon.shutdownGraceSeconds=0').one('DaemonSet');
    assert.equal(daemon.spec.template.spec.terminationGracePeriodSeconds, 15);
  });

  test('has Prometheus ask each component at one port, through one service', () => {
    const manifests = render(
      'both-components',
      'metrics.serviceMonitor.enabled=true',
      'daemon.networkPolicy.metricsFrom[0].podSelector.matchLabels.app=prometheus',
    );
    for (const monitor of manifests.all('ServiceMonitor')) {
      const wanted = Object.entries(monitor.spec.selector.matchLabels);
      const services = manifests
        .all('Service')
        .filter(({ metadata }) => wanted.every(([label, value]) => metadata.labels[label] === value));
      assert.deepEqual(
        services.map(({ metadata }) => metadata.name),
        [`${monitor.metadata.name}-metrics`],
      );
      assert.equal(services[0]?.spec.ports[0]?.name, monitor.spec.endpoints[0]?.port);
    }
    assert.equal(manifests.all('ServiceMonitor').length, 2);
  });

  test('tells of each pod that is down and of those that are missing', () => {
    const manifests = render('daemon-block-devices');
    const { spec } = manifests.one('PrometheusRule');
    const expressions = spec.groups.flatMap(({ rules }) => rules.map(({ expr }) => expr));
    const [down = '', missing = ''] = expressions;
    const service = manifests.named('Service', 'release-ovirt-imageio-daemon-metrics').metadata.name;
    assert.equal(down, `up{namespace="storage", job="${service}"} == 0`);
    const { name } = manifests.one('DaemonSet').metadata;
    const labels = `{namespace="storage", daemonset="${name}"}`;
    assert.equal(missing, `kube_daemonset_status_number_unavailable${labels} > 0`);
    assert.ok(expressions.every((expression) => !expression.includes('absent')));
  });

  test('tells metrics at the address of the pod alone', () => {
    const manifests = render('both-components');
    for (const { spec } of [...manifests.all('Deployment'), ...manifests.all('DaemonSet')])
      assert.deepEqual(spec.template.spec.containers[0]?.env?.[0], {
        name: 'IMAGEIO_METRICS__HOST',
        valueFrom: { fieldRef: { fieldPath: 'status.podIP' } },
      });
    for (const { data } of manifests.all('ConfigMap')) {
      const [, metrics = ''] = (data?.['50-chart.conf'] ?? '').split('[metrics]');
      assert.doesNotMatch(metrics.split('[')[0] ?? '', /^host =/m);
    }
  });

  test('says that the image must be built and pushed, until one is named', async () => {
    // helm shows notes of what it installs into a cluster alone.
    await using folder = await TemporaryFolder.create();
    cpSync(chartFolder, folder.file('chart'), { recursive: true });
    const notes = '{{ include (print .Template.BasePath "/NOTES.txt") . | nindent 4 }}';
    const shown = `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: notes }\ndata:\n  notes: |\n${notes}\n`;
    writeFileSync(folder.file('chart/templates/notes.yaml'), shown);
    const render = (...sets: string[]): string =>
      helm(
        ...['template', 'release', folder.file('chart'), '--kube-version', kubernetesVersion],
        ...['--values', join(chartFolder, 'ci', 'proxy-existing-secrets-values.yaml')],
        ...['--show-only', 'templates/notes.yaml', ...sets.flatMap((set) => ['--set', set])],
      );
    assert.match(render(), /podman build --file packaging\/Containerfile .*\n +podman push /);
    assert.doesNotMatch(render('image.repository=registry.example.com/ovirt-imageio'), /podman/);
  });

  test('is switched by a chart that has it among theirs', async () => {
    await using folder = await TemporaryFolder.create();
    cpSync(chartFolder, folder.file('umbrella/charts/ovirt-imageio'), { recursive: true });
    const chart = [
      'apiVersion: v2',
      'name: umbrella',
      'version: 1.0.0',
      'dependencies: [{ name: ovirt-imageio, version: 0.x, condition: ovirt-imageio.enabled }]',
    ];
    writeFileSync(folder.file('umbrella/Chart.yaml'), `${chart.join('\n')}\n`);
    const rendered = (enabled: boolean): string =>
      helm(
        ...['template', 'release', folder.file('umbrella'), '--kube-version', kubernetesVersion],
        ...['--set', `ovirt-imageio.enabled=${enabled}`, '--set', 'ovirt-imageio.proxy.enabled=false'],
        ...['--set', 'ovirt-imageio.daemon.tls.existingSecret=daemon-tls'],
      );
    assert.match(rendered(true), /^kind: DaemonSet$/m);
    assert.equal(rendered(false).trim(), '');
  });

  test('has a test that asks every component', () => {
    const [test] = render('both-components').one('Pod').spec.containers;
    assert.deepEqual(test?.command, ['node', '/opt/ovirt-imageio/answers.mjs']);
    assert.deepEqual(test.args, ['imageio-daemon-metrics:54322', 'imageio-proxy-metrics:54323']);
  });

  const impossible: readonly (readonly [string, string, RegExp])[] = [
    ['proxy-existing-secrets', 'proxy.tls.existingSecret=', /set exactly one of proxy\.tls\.existingSecret/],
    [
      'proxy-existing-secrets',
      'proxy.tls.certManager.enabled=true',
      /set exactly one of proxy\.tls\.existingSecret/,
    ],
    ['daemon-host-keys', 'daemon.tls.existingSecret=a', /set exactly one of daemon\.tls\.existingSecret/],
    [
      'daemon-node-port-cert-manager',
      'daemon.tls.certManager.issuerRef.name=',
      /daemon\.tls\.certManager\.issuerRef\.name/,
    ],
    [
      'daemon-block-devices',
      'daemon.networkPolicy.metricsFrom=null',
      /say who asks in daemon\.networkPolicy\.metricsFrom/,
    ],
    ['daemon-block-devices', 'metrics.serviceMonitor.enabled=false', /set metrics\.serviceMonitor\.enabled/],
    ['proxy-existing-secrets', 'proxy.replicas=2', /several proxies need a session store that they share/],
    ['proxy-existing-secrets', 'proxy.autoscaling.enabled=true', /several proxies need a session store/],
    ['proxies-ingress-redis', 'proxy.autoscaling.minReplicas=9', /minReplicas is more than maxReplicas/],
    ['proxies-ingress-redis', 'proxy.ingress.host=', /set proxy\.ingress\.host/],
    ['proxy-ingress-reencrypt', 'proxy.ingress.tlsSecret=', /set proxy\.ingress\.tlsSecret/],
    [
      'proxy-gateway-passthrough',
      'proxy.gateway.hostnames=null',
      /set proxy\.gateway\.parentRefs and proxy\.gateway\.hostnames/,
    ],
    ['proxy-gateway-reencrypt', 'proxy.gateway.backendTls.hostname=', /set proxy\.gateway\.backendTls/],
  ];
  for (const [scenario, set, reason] of impossible) {
    test(`refuses ${scenario} with ${set}, and says why`, () => {
      assert.match(refusal(scenario, set), reason);
    });
  }
});
