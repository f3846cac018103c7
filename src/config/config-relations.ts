import type { Origins } from './build-config.js';
import type { Config } from './config.js';
import type { ConfigProblem } from './config-error.js';
import type { Role } from './role.js';

/** Beside its bytes a pooled buffer has room for one block on each side, and no block is larger than this. */
const blockBytesMax = 4096;

/** What is left of a pool beside its small buffers. */
const largeBuffersShare = 7 / 8;

/** Something that must hold between options, and what to say of which option when it does not. */
interface Relation {
  readonly holds: boolean;
  readonly section: string;
  readonly option: string;
  readonly reason: string;
}

/** What is wrong between options that are each right by themselves. */
export function checkRelations(config: Config, role: Role, originOf: Origins): ConfigProblem[] {
  return [
    ...tlsRelations(config),
    ...socketRelations(config),
    ...limitRelations(config),
    ...engineRelations(config, role),
  ]
    .filter(({ holds }) => !holds)
    .map(({ section, option, reason }) => ({ origin: originOf(section, option), section, option, reason }));
}

function tlsRelations({ tls }: Config): Relation[] {
  const reason = 'is empty while TLS is enabled: set it, or [tls] enable = false';
  return [
    { holds: !tls.enable || tls.keyFile !== '', section: 'tls', option: 'key_file', reason },
    { holds: !tls.enable || tls.certFile !== '', section: 'tls', option: 'cert_file', reason },
  ];
}

function socketRelations({ control, local }: Config): Relation[] {
  const isUnix = control.enable && control.transport === 'unix';
  const isNamed = control.socket !== '';
  return [
    {
      holds: !isUnix || isNamed,
      section: 'control',
      option: 'socket',
      reason: 'is empty while [control] transport is unix',
    },
    {
      holds: !(isUnix && local.enable && isNamed) || control.socket !== local.socket,
      section: 'control',
      option: 'socket',
      reason: 'is the same as [local] socket: clients of images could then add tickets',
    },
  ];
}

function limitRelations({ limits }: Config): Relation[] {
  const { headersTimeoutSeconds, unauthorisedSilenceSeconds, bufferPoolBytes, buffersPerTransfer } = limits;
  const { relayBufferBytes, relayBufferBytesPerTicket, bufferStallSeconds, bufferWaitSeconds } = limits;
  const { digestRangeBytes, digestPoolBytes } = limits;
  const digestedBytes = Math.ceil((digestRangeBytes + 2 * blockBytesMax) / largeBuffersShare);
  const transferBytes = buffersPerTransfer * (limits.bufferBytes + 2 * blockBytesMax);
  const section = 'limits';
  return [
    {
      holds: headersTimeoutSeconds <= unauthorisedSilenceSeconds,
      section,
      option: 'headers_timeout_sec',
      reason:
        `${headersTimeoutSeconds} is longer than unauthorised_silence_sec ` +
        String(unauthorisedSilenceSeconds),
    },
    {
      holds: transferBytes <= bufferPoolBytes,
      section,
      option: 'buffer_pool_bytes',
      reason:
        `${bufferPoolBytes} is less than the ${transferBytes} bytes that buffer_bytes and ` +
        'buffers_per_transfer give one transfer',
    },
    {
      holds: digestRangeBytes <= limits.bufferBytes || digestedBytes <= digestPoolBytes,
      section,
      option: 'digest_pool_bytes',
      reason: `${digestPoolBytes} is less than the ${digestedBytes} bytes that one digest_range_bytes takes`,
    },
    {
      holds: relayBufferBytesPerTicket <= relayBufferBytes,
      section,
      option: 'relay_buffer_bytes_per_ticket',
      reason: `${relayBufferBytesPerTicket} is more than relay_buffer_bytes ${relayBufferBytes}`,
    },
    {
      holds: bufferStallSeconds < bufferWaitSeconds,
      section,
      option: 'buffer_stall_sec',
      reason: `${bufferStallSeconds} is not less than buffer_wait_sec ${bufferWaitSeconds}`,
    },
  ];
}

function engineRelations({ proxy }: Config, role: Role): Relation[] {
  const verifies =
    role === 'proxy' && proxy.signedProxyTicket && proxy.verifyCertificate && proxy.engineCertFile !== '';
  return [
    {
      holds: !verifies || proxy.engineCaCertFile !== '',
      section: 'proxy',
      option: 'engine_ca_cert_file',
      reason:
        'is empty while the certificate of the engine is to be verified: set it, or [proxy] ' +
        'verify_certificate = false',
    },
  ];
}

/** Choices that work but weaken the service, one sentence each, for the log at start. */
export function insecureChoices(config: Config, role: Role): string[] {
  const { tls, control, proxy } = config;
  const warnings: string[] = [];
  if (!tls.enable) {
    warnings.push('[tls] enable is false: ticket ids and images can be read on the network');
  }
  if (control.enable && control.transport === 'unix' && control.socket.startsWith('\0')) {
    warnings.push(
      '[control] socket is abstract and has no file mode: every user of this host can add tickets',
    );
  }
  if (control.enable && control.transport === 'tcp') {
    warnings.push('[control] transport is tcp: every user of this host can add tickets');
  }
  if (role === 'proxy' && !proxy.signedProxyTicket) {
    warnings.push('[proxy] signed_proxy_ticket is false: ANYBODY CAN ACCESS EVERY IMAGE, for debugging only');
  }
  if (role === 'proxy' && proxy.signedProxyTicket && !proxy.verifyCertificate) {
    warnings.push('[proxy] verify_certificate is false: the certificate of the engine is trusted unverified');
  }
  return warnings;
}
