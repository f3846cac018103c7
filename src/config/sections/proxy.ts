import { boolean, float, integer, string, timeoutSecondsMax } from '../option.js';
import { defineSection, type SectionValues } from '../section.js';
import { workersOption } from '../workers-option.js';
import { checkSessionStore, maskSessionStore } from '../session-store-url.js';

export const proxySection = defineSection({
  name: 'proxy',
  description: 'The proxy role: whose signed tickets it takes, and how long it waits for daemons.',
  options: {
    engineCertFile: string('engine_cert_file', {
      default: '',
      description:
        'Certificate in PEM format that signed tickets are verified with. Empty: signed tickets are refused.',
    }),
    engineCaCertFile: string('engine_ca_cert_file', {
      default: '',
      description: 'Authority in PEM format that the certificate of the engine is verified with.',
    }),
    verifyCertificate: boolean('verify_certificate', {
      default: true,
      description: 'Verify the certificate of the engine against engine_ca_cert_file and its validity dates.',
    }),
    signedProxyTicket: boolean('signed_proxy_ticket', {
      default: true,
      description: 'Take only signed tickets. Off takes plain JSON from anybody: for debugging only.',
    }),
    allowSha1: boolean('allow_sha1', {
      default: false,
      description:
        'Take version 1 signatures made with SHA-1, which can be forged with effort; for engines before ' +
        '2021.',
    }),
    allowedSkewSeconds: integer('allowed_skew_seconds', {
      default: 0,
      minimum: 0,
      maximum: 3600,
      unit: 'seconds',
      description: 'How far the clocks of engine and proxy may differ when the dates of a ticket are judged.',
    }),
    imagedConnectionTimeoutSeconds: float('imaged_connection_timeout_sec', {
      default: 10,
      minimum: 0.001,
      maximum: timeoutSecondsMax,
      unit: 'seconds',
      description: 'How long a daemon may take to accept a connection before the client gets 504.',
    }),
    imagedReadTimeoutSeconds: float('imaged_read_timeout_sec', {
      default: 30,
      minimum: 0.001,
      maximum: timeoutSecondsMax,
      unit: 'seconds',
      description:
        'How long a daemon may give no sign of life before the head of its answer until the client gets 504.',
    }),
    imagedOperationTimeoutSeconds: float('imaged_operation_timeout_sec', {
      default: 600,
      minimum: 0.001,
      maximum: timeoutSecondsMax,
      unit: 'seconds',
      description:
        'The same for work that only the daemon can end: PATCH, the end of an upload, extents, ' +
        'checksums. Other daemons than ours give no signs of life. Never less than ' +
        'imaged_read_timeout_sec.',
    }),
    workers: workersOption(''),
    sessionStore: string('session_store', {
      default: 'memory',
      check: checkSessionStore,
      mask: maskSessionStore,
      description:
        'memory, or the redis:// or rediss:// URL of a store that several proxies behind one address share.',
    }),
  },
});

export type ProxyConfig = SectionValues<typeof proxySection>;
