import type { Logger } from '../log/logger.js';
import type { HttpListener } from './http-listener.js';
import type { Reloadable } from '../config/reloadable.js';
import { readServerTls } from './tls-files.js';

/**
 * Reads key and certificate of a TLS listener again. The process may have become an ordinary user, who must
 * be able to read them.
 */
export function certificateReload(listener: HttpListener, logger: Logger): Reloadable {
  return {
    what: `the certificate of the ${listener.name} listener`,
    reload: ({ tls }) => {
      const files = readServerTls(tls, (message) => {
        logger.warn(message);
      });
      if (files === undefined) throw new Error('TLS cannot be turned off while the service runs');
      listener.setCertificate(files);
    },
  };
}
