import type { Endpoint } from '#sdk';
import { ConfigError } from '../config/config-error.js';
import type { Config } from '../config/config.js';

/**
 * Where the control service is, as its configuration says.
 * @throws ConfigError when it is off or takes any free port
 */
export function controlEndpoint({ control }: Config): Endpoint {
  if (!control.enable) throw new ConfigError([{ reason: '[control] enable is off: there is no socket' }]);
  if (control.transport === 'unix') return { baseUrl: 'http://localhost', socketPath: control.socket };
  if (control.port <= 0)
    throw new ConfigError([{ reason: '[control] port is any free one: give it a number to be found at' }]);
  return { baseUrl: `http://${control.preferIpv4 ? '127.0.0.1' : 'localhost'}:${control.port}` };
}
