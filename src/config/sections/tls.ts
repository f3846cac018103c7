import { boolean, float, string, timeoutSecondsMax } from '../option.js';
import { defineSection, type SectionValues } from '../section.js';

export const tlsSection = defineSection({
  name: 'tls',
  description: 'TLS of the remote listener, and the authorities trusted when the service itself is a client.',
  options: {
    enable: boolean('enable', {
      default: true,
      description: 'Serve HTTPS. Off means plain HTTP, where every ticket id can be read on the network.',
    }),
    keyFile: string('key_file', {
      default: '',
      reloadable: true,
      description: 'Private key in PEM format; required when TLS is on.',
    }),
    certFile: string('cert_file', {
      default: '',
      reloadable: true,
      description: 'Certificate chain in PEM format, own certificate first; required when TLS is on.',
    }),
    caFile: string('ca_file', {
      default: '',
      reloadable: true,
      description: 'Authorities in PEM format that verify other servers. Empty: those of the system.',
    }),
    enableTls11: boolean('enable_tls1_1', {
      default: false,
      reloadable: true,
      description:
        'Accept TLS 1.1 for very old clients. Off means TLS 1.2 or newer. On, no key or signature is too ' +
        'weak for a connection, whatever its version, which the log warns of.',
    }),
    reloadIntervalSeconds: float('reload_interval_sec', {
      default: 60,
      minimum: 0,
      maximum: timeoutSecondsMax,
      unit: 'seconds',
      reloadable: true,
      description:
        'How often to look whether key, certificate or authorities have been renewed, and to take them ' +
        'as at SIGHUP. 0 never looks.',
    }),
  },
});

export type TlsConfig = SectionValues<typeof tlsSection>;
