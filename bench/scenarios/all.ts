import { ChecksumScenario } from './checksum.js';
import { ConcurrentDownloadsScenario, DownloadScenario } from './download.js';
import { FileExtentsScenario } from './extents.js';
import { DigestUploadScenario } from './digest-upload.js';
import {
  NbdDownloadScenario,
  NbdExtentsScenario,
  NbdParallelUploadScenario,
  NbdUploadScenario,
} from './nbd.js';
import { RandomReadScenario, RelayRandomReadScenario } from './random-read.js';
import { RelayDownloadScenario, RelayUploadScenario } from './relay.js';
import type { Scenario } from './scenario.js';
import { UploadScenario } from './upload.js';
import { ZeroScenario } from './zero.js';

/** Every scenario, in the order in which they run. */
export const scenarios: readonly Scenario[] = [
  new DownloadScenario('get-https-1', 'GET, 1 connection, HTTPS', { transport: 'https', connections: 1 }),
  new DownloadScenario('get-https-8', 'GET, 8 connections with a range each, HTTPS', {
    transport: 'https',
    connections: 8,
  }),
  new DownloadScenario('get-unix-1', 'GET, local unix socket', { transport: 'unix', connections: 1 }),
  new UploadScenario('put-https-1', 'PUT + flush, 1 connection, HTTPS', 'https'),
  new UploadScenario('put-unix-1', 'PUT + flush, local unix socket', 'unix'),
  new RandomReadScenario(),
  new ZeroScenario(),
  new ChecksumScenario(),
  new FileExtentsScenario(),
  new ConcurrentDownloadsScenario(),
  new RelayDownloadScenario(),
  new RelayUploadScenario(),
  new RelayRandomReadScenario(),
  new NbdDownloadScenario(),
  new NbdUploadScenario(),
  new NbdParallelUploadScenario(),
  new NbdExtentsScenario(),
  new DigestUploadScenario('put-digest-https-1', 'PUT with sha-256 + flush, 1 connection, HTTPS', 'https'),
  new DigestUploadScenario('put-digest-unix-1', 'PUT with sha-256 + flush, local unix socket', 'unix'),
];
