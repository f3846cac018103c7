import type { StorageTrouble } from '../../base/errors.js';
import type { Finding } from './finding.js';

const texts: Readonly<Record<StorageTrouble, readonly [message: string, advice: string]>> = {
  image_missing: [
    'There is no such image',
    'Check that the disk is prepared on this host and the storage is mounted.',
  ],
  access_denied: [
    'The service may not open the image',
    'Give the user of the service the permissions on it that the ticket needs; SELinux may forbid it too.',
  ],
  read_only: [
    'The storage of the image is read-only, and the ticket allows writing',
    'Make the storage or the export writable, or use a ticket that only reads.',
  ],
  not_an_image: [
    'What the ticket names is neither a regular file nor a block device',
    'Have the ticket made for the volume itself.',
  ],
  storage_refused: [
    'The storage server refuses connections',
    'Start the NBD server, and check that it listens where the ticket says.',
  ],
  storage_missing: [
    'The device or the socket of the storage server is not there',
    'Start the NBD server, or activate the volume.',
  ],
  storage_unreachable: [
    'The storage cannot be reached',
    'Check name resolution, the network between this host and the storage, and its firewalls.',
  ],
  storage_silent: [
    'The storage did not answer in time',
    'Look at the storage and at what else loads it; an NBD server may be serving as many clients as it can.',
  ],
  export_missing: [
    'The storage server has no such export',
    'Check the name of the export in the ticket against what the NBD server offers.',
  ],
  storage_failed: ['Opening the image failed', 'The log of the service on the host of the image says how.'],
};

/** What is said when the image could not be opened: nothing more of it can be known then. */
export function troubleFinding(trouble: StorageTrouble): Finding {
  const [message, advice] = texts[trouble];
  return { code: trouble, severity: 'error', message, advice };
}
