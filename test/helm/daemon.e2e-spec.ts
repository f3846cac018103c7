import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { render, skip } from './helm-tools.js';
import type { PodSpec, Volume } from './kubernetes-objects.js';

function podSpec(scenario: string, ...sets: readonly string[]): PodSpec {
  return render(scenario, ...sets).pod;
}

describe('the daemon in the chart', { skip }, () => {
  test('is an ordinary user without capabilities that cannot write its own files', () => {
    const { securityContext, containers } = podSpec('daemon-node-port-cert-manager');
    assert.deepEqual(securityContext, {
      runAsNonRoot: true,
      runAsUser: 36,
      runAsGroup: 10001,
      fsGroup: 10001,
      supplementalGroups: [36, 107],
      seccompProfile: { type: 'RuntimeDefault' },
    });
    assert.deepEqual(containers[0]?.securityContext, {
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  test('sees /dev of the host, which takes a privileged container, only for block devices', () => {
    const without = podSpec('daemon-node-port-cert-manager');
    assert.ok(!hostPaths(without).includes('/dev'));
    const { securityContext, containers, volumes } = podSpec('daemon-block-devices');
    assert.ok(hostPaths({ volumes }).includes('/dev'));
    assert.deepEqual(containers[0]?.securityContext, { privileged: true, readOnlyRootFilesystem: true });
    assert.equal(securityContext.runAsNonRoot, true);
  });

  test('is given the folder of the control socket by an init container with one capability', () => {
    const { initContainers, volumes } = podSpec('both-components');
    assert.equal(initContainers?.length, 1);
    const [prepare] = initContainers;
    assert.ok(prepare);
    assert.deepEqual(prepare.command, ['chown', '36:10001', '/run/ovirt-imageio']);
    assert.deepEqual(prepare.securityContext.capabilities, { drop: ['ALL'], add: ['CHOWN'] });
    assert.deepEqual(
      prepare.volumeMounts.map(({ mountPath }) => mountPath),
      ['/run/ovirt-imageio'],
    );
    assert.deepEqual(volume({ volumes }, 'control')?.hostPath, {
      path: '/run/ovirt-imageio',
      type: 'DirectoryOrCreate',
    });
  });

  test('needs no init container where the host prepares that folder', () => {
    const spec = podSpec('daemon-host-keys');
    assert.equal(spec.initContainers, undefined);
    assert.deepEqual(volume(spec, 'control')?.hostPath, { path: '/run/ovirt-imageio', type: 'Directory' });
  });

  test('sees storage that the host mounts later', () => {
    const mounts = podSpec('daemon-block-devices').containers[0]?.volumeMounts;
    assert.deepEqual(
      mounts?.filter(({ name }) => name.startsWith('image-')),
      [
        {
          name: 'image-data-center',
          mountPath: '/rhev/data-center',
          readOnly: false,
          mountPropagation: 'HostToContainer',
        },
        {
          name: 'image-templates',
          mountPath: '/srv/templates',
          readOnly: true,
          mountPropagation: 'HostToContainer',
        },
      ],
    );
  });

  test('has images in claims, as files and as a device, and what else is mounted', () => {
    const { containers, volumes, securityContext } = podSpec('daemon-kubevirt-claims');
    const [container] = containers;
    assert.deepEqual(
      container?.volumeMounts.filter(({ mountPath }) => mountPath.startsWith('/images')),
      [
        { name: 'claim-disk', mountPath: '/images/vm-disk', readOnly: false },
        { name: 'scratch', mountPath: '/images/scratch' },
      ],
    );
    assert.deepEqual(container.volumeDevices, [{ name: 'claim-block', devicePath: '/images/vm-block' }]);
    assert.deepEqual(
      ['claim-disk', 'claim-block'].map((name) => volume({ volumes }, name)?.persistentVolumeClaim),
      [
        { claimName: 'vm-disk', readOnly: false },
        { claimName: 'vm-block', readOnly: true },
      ],
    );
    assert.deepEqual(securityContext, {
      runAsNonRoot: true,
      runAsUser: 107,
      runAsGroup: 107,
      fsGroup: 107,
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
      seLinuxOptions: { type: 'spc_t' },
    });
  });

  test('is closed but for its HTTPS port unless said otherwise', () => {
    const { spec } = render('both-components').named('NetworkPolicy', 'imageio-daemon');
    assert.deepEqual(spec.ingress, [{ ports: [{ port: 'https', protocol: 'TCP' }] }]);
    assert.deepEqual(spec.egress, []);
  });

  test('is at a port of its host', () => {
    const manifests = render('daemon-block-devices', 'daemon.hostPort=8443');
    assert.deepEqual(manifests.pod.containers[0]?.ports[0], {
      name: 'https',
      containerPort: 54322,
      hostPort: 8443,
    });
    assert.deepEqual(
      manifests.all('Service').map(({ metadata }) => metadata.name),
      ['release-ovirt-imageio-daemon-metrics'],
    );
  });

  test('is at a node port that never leads to another host', () => {
    const manifests = render('daemon-node-port-cert-manager');
    const { spec } = manifests.named('Service', 'release-ovirt-imageio-daemon');
    assert.equal(spec.type, 'NodePort');
    assert.equal(spec.externalTrafficPolicy, 'Local');
    assert.equal(spec.internalTrafficPolicy, 'Local');
    assert.deepEqual(spec.ports, [{ name: 'https', port: 54322, targetPort: 'https', nodePort: 30322 }]);
    assert.equal(manifests.pod.containers[0]?.ports[0]?.hostPort, undefined);
  });

  test('offers the abstract unix socket only in the network of its host', () => {
    assert.match(configuration('daemon-host-keys'), /^\[local\]\nenable = true$/m);
    assert.match(configuration('daemon-block-devices'), /^\[local\]\nenable = false$/m);
    assert.match(
      configuration('daemon-block-devices', 'daemon.config.local.enable=true'),
      /^\[local\]\nenable = true$/m,
    );
  });

  test('writes large numbers and fractions as the service reads them', () => {
    const text = configuration('daemon-block-devices');
    assert.match(text, /^buffer_pool_bytes = 536870912$/m);
    assert.match(text, /^headers_timeout_sec = 7\.5$/m);
  });

  test('takes keys from its host, read-only', () => {
    const spec = podSpec('daemon-host-keys');
    assert.deepEqual(volume(spec, 'tls')?.hostPath, { path: '/etc/pki/vdsm', type: 'Directory' });
    const mount = spec.containers[0]?.volumeMounts.find(({ name }) => name === 'tls');
    assert.deepEqual(mount, { name: 'tls', mountPath: '/etc/ovirt-imageio/tls', readOnly: true });
    const tls = [
      '[tls]',
      'cert_file = /etc/ovirt-imageio/tls/certs/vdsmcert.pem',
      'key_file = /etc/ovirt-imageio/tls/keys/vdsmkey.pem',
    ].join('\n');
    assert.ok(`\n${configuration('daemon-host-keys')}\n`.includes(`\n${tls}\n`));
  });

  test('takes keys from the secret that cert-manager fills', () => {
    const manifests = render('daemon-node-port-cert-manager');
    const { spec } = manifests.one('Certificate');
    assert.deepEqual(volume(manifests.pod, 'tls')?.secret, {
      secretName: spec.secretName,
      defaultMode: 0o440,
    });
    assert.deepEqual(spec.ipAddresses, ['192.0.2.10']);
  });

  test('is closed by a policy to all but its clients and Prometheus', () => {
    const { spec } = render('daemon-block-devices').one('NetworkPolicy');
    assert.deepEqual(spec.ingress, [
      { ports: [{ port: 'https', protocol: 'TCP' }], from: [{ ipBlock: { cidr: '192.0.2.0/24' } }] },
      {
        ports: [{ port: 'metrics', protocol: 'TCP' }],
        from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }],
      },
    ]);
    assert.deepEqual(spec.egress, [{ ports: [{ port: 10809, protocol: 'TCP' }] }]);
    assert.deepEqual(spec.policyTypes, ['Ingress', 'Egress']);
  });

  test('has no policy in the network of its host, where none would hold', () => {
    const manifests = render('daemon-host-keys', 'daemon.networkPolicy.enabled=true');
    assert.deepEqual(manifests.all('NetworkPolicy'), []);
    assert.equal(manifests.pod.hostNetwork, true);
  });
});

type Volumes = Pick<PodSpec, 'volumes'>;

function volume({ volumes }: Volumes, name: string): Volume | undefined {
  return volumes.find((candidate) => candidate.name === name);
}

function hostPaths({ volumes }: Volumes): string[] {
  return volumes.flatMap(({ hostPath }) => (hostPath === undefined ? [] : [hostPath.path]));
}

function configuration(scenario: string, ...sets: readonly string[]): string {
  return render(scenario, ...sets).configuration;
}
