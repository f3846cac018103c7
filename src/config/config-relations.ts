import type { Origins } from './build-config.js';
import type { Config } from './config.js';
import type { ConfigProblem } from './config-error.js';
import type { Role } from './role.js';

/** Beside its bytes a pooled buffer has room for one block on each side, and no block is larger than this. */
const blockBytesMax = 4096;

/** What is wrong between options that are each right by themselves. */
export function checkRelations(config: Config, role: Role, originOf: Origins): ConfigProblem[] {
  const { tls, control, local, limits, proxy } = config;
  const problems: ConfigProblem[] = [];
  const check = (holds: boolean, section: string, option: string, reason: string) => {
    if (!holds) problems.push({ origin: originOf(section, option), section, option, reason });
  };

  check(
    !tls.enable || tls.keyFile !== '',
    'tls',
    'key_file',
    'is empty while TLS is enabled: set it, or [tls] enable = false',
  );
  check(
    !tls.enable || tls.certFile !== '',
    'tls',
    'cert_file',
    'is empty while TLS is enabled: set it, or [tls] enable = false',
  );

  const controlIsUnix = control.enable && control.transport === 'unix';
  check(
    !controlIsUnix || control.socket !== '',
    'control',
    'socket',
    'is empty while [control] transport is unix',
  );
  check(
    !(controlIsUnix && local.enable && control.socket !== '') || control.socket !== local.socket,
    'control',
    'socket',
    'is the same as [local] socket: clients of images could then add tickets',
  );

  check(
    limits.headersTimeoutSeconds <= limits.unauthorisedSilenceSeconds,
    'limits',
    'headers_timeout_sec',
    `${limits.headersTimeoutSeconds} is longer than unauthorised_silence_sec ` +
      `${limits.unauthorisedSilenceSeconds}`,
  );
  const transferBytes = limits.buffersPerTransfer * (limits.bufferBytes + 2 * blockBytesMax);
  check(
    transferBytes <= limits.bufferPoolBytes,
    'limits',
    'buffer_pool_bytes',
    `${limits.bufferPoolBytes} is less than the ${transferBytes} bytes that buffer_bytes and ` +
      'buffers_per_transfer give one transfer',
  );

  check(
    limits.relayBufferBytesPerTicket <= limits.relayBufferBytes,
    'limits',
    'relay_buffer_bytes_per_ticket',
    `${limits.relayBufferBytesPerTicket} is more than relay_buffer_bytes ${limits.relayBufferBytes}`,
  );

  check(
    limits.bufferStallSeconds < limits.bufferWaitSeconds,
    'limits',
    'buffer_stall_sec',
    `${limits.bufferStallSeconds} is not less than buffer_wait_sec ${limits.bufferWaitSeconds}`,
  );

  const verifiesEngine =
    role === 'proxy' && proxy.signedProxyTicket && proxy.verifyCertificate && proxy.engineCertFile !== '';
  check(
    !verifiesEngine || proxy.engineCaCertFile !== '',
    'proxy',
    'engine_ca_cert_file',
    'is empty while the certificate of the engine is to be verified: set it, or [proxy] ' +
      'verify_certificate = false',
  );
  return problems;
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
