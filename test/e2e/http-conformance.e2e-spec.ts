import { readFile } from 'node:fs/promises';
import { after, before, describe } from 'node:test';
import { DaemonAgents } from '../../src/daemons/daemon-agents.js';
import type { Backend } from '../../src/images/backends/backend.js';
import { describeBackend } from '../../src/images/backends/backend.conformance.js';
import { HttpSource } from '../../src/images/backends/http/http-source.js';
import { MiB } from '../../src/base/units.js';
import { DaemonUnderTest } from './daemon-under-test.js';

describe('an image of another daemon', () => {
  let owner: DaemonUnderTest;
  let agents: DaemonAgents;
  before(async () => {
    owner = await DaemonUnderTest.start();
    agents = new DaemonAgents({ caPem: owner.pki.caPem });
  });
  after(async () => {
    agents.close();
    await owner[Symbol.asyncDispose]();
  });

  describeBackend(
    'it',
    async (content) => {
      const source = new HttpSource({
        agents,
        timeouts: { connectTimeoutSeconds: 10, readTimeoutSeconds: 10, operationTimeoutSeconds: 30 },
        schemes: ['https'],
      });
      const image = await owner.addImage(content, { size: MiB, sparse: true });
      const url = `${owner.daemon.url}${image.path}`;
      const backends: Backend[] = [];
      const reopen = async (): Promise<Backend> => {
        const backend = await source.open({ url, writable: true, sparse: true, dirty: false });
        backends.push(backend);
        return backend;
      };
      return {
        backend: await reopen(),
        reopen,
        readRaw: () => readFile(image.file),
        close: async () => {
          await Promise.all(backends.map((backend) => backend.close()));
          await owner.vdsm.removeTicket(image.id);
        },
      };
    },
    { sizeMultipleBytes: 1, growable: true, reportsZeroExtents: true },
  );
});
