import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { render, skip } from './helm-tools.js';

const nginx = 'nginx.ingress.kubernetes.io';

describe('the proxy in the chart', { skip }, () => {
  test('is an ordinary user without capabilities that can write nothing', () => {
    const spec = render('proxies-ingress-redis').pod;
    assert.equal(spec.securityContext.runAsNonRoot, true);
    assert.equal(spec.securityContext.runAsUser, 10001);
    assert.deepEqual(spec.containers[0]?.securityContext, {
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    assert.ok(spec.containers[0].volumeMounts.every(({ readOnly }) => readOnly === true));
  });

  test('is replaced without a moment in which none is ready', () => {
    const { spec } = render('proxy-existing-secrets').one('Deployment');
    assert.deepEqual(spec.strategy.rollingUpdate, { maxSurge: 1, maxUnavailable: 0 });
    assert.equal(spec.replicas, 1);
  });

  test('starts with the options that the role runs best with', () => {
    const values =
      render('proxies-ingress-redis').pod.containers[0]?.env?.map(({ name, value }) => `${name}=${value}`) ??
      [];
    assert.ok(values.includes('NODE_OPTIONS=--max-semi-space-size=8'), values.join(', '));
  });

  test('keeps sessions in the Redis whose URL is in a secret', () => {
    const spec = render('proxies-ingress-redis').pod;
    const name = 'IMAGEIO_PROXY__SESSION_STORE';
    const option = spec.containers[0]?.env?.find((variable) => variable.name === name);
    assert.deepEqual(option, {
      name,
      valueFrom: { secretKeyRef: { name: 'imageio-redis', key: 'url' } },
    });
  });

  test('verifies tickets and daemons with certificates from a ConfigMap', () => {
    const manifests = render('proxy-existing-secrets');
    const text = manifests.configuration;
    assert.match(text, /^engine_cert_file = \/etc\/ovirt-imageio\/engine\/engine\.pem$/m);
    assert.match(text, /^engine_ca_cert_file = \/etc\/ovirt-imageio\/engine\/ca\.pem$/m);
    assert.match(text, /^\[backend_http\]\nca_file = \/etc\/ovirt-imageio\/daemon-authority\/ca\.pem$/m);
    const engine = manifests.pod.volumes.find(({ name }) => name === 'engine');
    assert.deepEqual(engine?.configMap, { name: 'engine-certificate' });
  });

  test('leaves the number of pods to the autoscaler, which is slow to take one away', () => {
    const manifests = render('proxies-ingress-redis');
    assert.equal(manifests.one('Deployment').spec.replicas, undefined);
    const { spec } = manifests.one('HorizontalPodAutoscaler');
    assert.equal(spec.scaleTargetRef.name, manifests.one('Deployment').metadata.name);
    assert.equal(spec.behavior.scaleDown.stabilizationWindowSeconds, 900);
  });

  test('is disrupted one pod at a time', () => {
    const { spec } = render('proxy-existing-secrets').one('PodDisruptionBudget');
    assert.equal(spec.maxUnavailable, 1);
    assert.deepEqual(render('both-components').all('PodDisruptionBudget'), []);
  });

  test('gets TLS connections through a route of OpenShift as clients make them', () => {
    const manifests = render('proxy-existing-secrets', 'proxy.route.enabled=true');
    const { metadata, spec } = manifests.one('Route');
    assert.deepEqual(spec, {
      to: { kind: 'Service', name: metadata.name, weight: 100 },
      port: { targetPort: 'https' },
      tls: { termination: 'passthrough', insecureEdgeTerminationPolicy: 'None' },
    });
    assert.equal(manifests.named('Service', metadata.name).spec.ports[0]?.name, 'https');
    assert.equal(metadata.annotations?.['haproxy.router.openshift.io/timeout-tunnel'], '3600s');
  });

  test('gets TLS connections through ingress-nginx as clients make them', () => {
    const { spec, metadata } = render('proxies-ingress-redis').one('Ingress');
    assert.equal(metadata.annotations?.[`${nginx}/ssl-passthrough`], 'true');
    assert.equal(metadata.annotations['example.com/owner'], 'storage');
    assert.equal(spec.tls, undefined);
    assert.equal(spec.rules[0]?.host, 'imageio.example.com');
  });

  test('gets bodies of any size and duration, unbuffered, from an ingress-nginx that ends TLS', () => {
    const { spec, metadata } = render('proxy-ingress-reencrypt').one('Ingress');
    assert.deepEqual(metadata.annotations, {
      [`${nginx}/backend-protocol`]: 'HTTPS',
      [`${nginx}/proxy-body-size`]: '0',
      [`${nginx}/proxy-buffering`]: 'off',
      [`${nginx}/proxy-request-buffering`]: 'off',
      [`${nginx}/proxy-max-temp-file-size`]: '0',
      [`${nginx}/proxy-http-version`]: '1.1',
      [`${nginx}/proxy-next-upstream`]: 'off',
      [`${nginx}/proxy-read-timeout`]: '3600',
      [`${nginx}/proxy-send-timeout`]: '3600',
      [`${nginx}/proxy-ssl-secret`]: 'default/proxy-authority',
      [`${nginx}/proxy-ssl-verify`]: 'on',
      [`${nginx}/proxy-ssl-server-name`]: 'on',
      [`${nginx}/proxy-ssl-name`]: 'imageio.example.com',
    });
    assert.deepEqual(spec.tls, [{ hosts: ['imageio.example.com'], secretName: 'imageio-public-tls' }]);
  });

  test('lets own annotations count before those for ingress-nginx', () => {
    const key = 'nginx\\.ingress\\.kubernetes\\.io/proxy-body-size';
    const { metadata } = render('proxy-ingress-reencrypt', `proxy.ingress.annotations.${key}=1g`).one(
      'Ingress',
    );
    assert.equal(metadata.annotations?.[`${nginx}/proxy-body-size`], '1g');
  });

  test('gets TLS connections through a gateway as clients make them', () => {
    const manifests = render('proxy-gateway-passthrough');
    const { spec } = manifests.one('TLSRoute');
    assert.deepEqual(spec.hostnames, ['imageio.example.com']);
    assert.deepEqual(spec.rules, [{ backendRefs: [{ name: 'release-ovirt-imageio-proxy', port: 54323 }] }]);
    assert.deepEqual(manifests.all('HTTPRoute'), []);
  });

  test('gets requests without time limits from a gateway that verifies it', () => {
    const manifests = render('proxy-gateway-reencrypt');
    assert.deepEqual(manifests.one('HTTPRoute').spec.rules[0]?.timeouts, {
      request: '0s',
      backendRequest: '0s',
    });
    const { spec } = manifests.one('BackendTLSPolicy');
    assert.equal(spec.targetRefs[0]?.name, 'release-ovirt-imageio-proxy');
    assert.equal(spec.validation.hostname, 'imageio.example.com');
    assert.deepEqual(manifests.all('TLSRoute'), []);
  });

  test('may connect to name servers, daemons and its Redis only', () => {
    const { spec } = render('proxies-ingress-redis').one('NetworkPolicy');
    assert.deepEqual(spec.egress, [
      {
        ports: [
          { port: 53, protocol: 'UDP' },
          { port: 53, protocol: 'TCP' },
        ],
      },
      { ports: [{ port: 54322, protocol: 'TCP' }], to: [{ ipBlock: { cidr: '192.0.2.0/24' } }] },
      {
        ports: [{ port: 6379, protocol: 'TCP' }],
        to: [{ podSelector: { matchLabels: { app: 'redis' } } }],
      },
    ]);
  });

  test('shows the address of clients in its log behind a load balancer', () => {
    const { spec } = render('proxy-existing-secrets').named('Service', 'release-ovirt-imageio-proxy');
    assert.equal(spec.externalTrafficPolicy, 'Local');
    assert.deepEqual(spec.loadBalancerSourceRanges, ['192.0.2.0/24']);
  });
});
