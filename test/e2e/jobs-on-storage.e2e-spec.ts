import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { missing, Workspace } from '../nbd/servers.js';
import { eventually } from '../support/deadline.js';
import { DaemonUnderTest } from './daemon-under-test.js';

const sizeBytes = MiB;
const zero = JSON.stringify({ op: 'zero', size: sizeBytes });

interface EndedJob {
  readonly state: string;
  readonly problem?: { readonly type: string; readonly status: number };
}

/** Begins to zero an image as a job. @returns the path of the job */
async function beginZero(fixture: DaemonUnderTest, url: string, transferId: string): Promise<string> {
  const image = await fixture.addImage(undefined, { url, size: sizeBytes, transfer_id: transferId });
  const headers = { Prefer: 'respond-async' };
  const answer = await fixture.client().request('PATCH', image.path, { headers, body: zero });
  assert.equal(answer.status, 202, answer.text);
  return answer.headers.location ?? '';
}

/** Resolves with the log record of the job of a transfer. */
function recordOf(fixture: DaemonUnderTest, transferId: string): Promise<Record<string, unknown>> {
  return fixture.daemon.program.waitForLine((line) => {
    if (!line.includes('"Job ended"') || !line.includes(transferId)) return undefined;
    return JSON.parse(line) as Record<string, unknown>;
  }, `the record of the job of ${transferId}`);
}

describe('a job', { skip: missing('nbdkit') }, () => {
  const failures = [
    ['EIO', 500, 'storage_error'],
    ['ENOSPC', 507, 'no_space'],
  ] as const;
  for (const [error, status, code] of failures)
    test(`whose storage fails with ${error} says so as its request would have`, async () => {
      await using fixture = await DaemonUnderTest.start();
      await using workspace = await Workspace.create();
      const { url } = await workspace.nbdkit(
        '--filter=error',
        'memory',
        `${sizeBytes}`,
        `error-zero=${error}`,
        'error-zero-rate=100%',
      );
      const path = await beginZero(fixture, url, 'failing');
      const client = fixture.client();
      const job = await eventually(async () => {
        const found = JSON.parse((await client.request('GET', path)).text) as EndedJob;
        return found.state === 'running' ? undefined : found;
      }, 'the end of the job');
      assert.deepEqual([job.state, job.problem?.status], ['failed', status]);
      assert.equal(job.problem?.type, `urn:ovirt-imageio:error:${code}`);
      const record = await recordOf(fixture, 'failing');
      const { level, kind, state, backend, job: number } = record;
      assert.deepEqual([level, kind, state, backend, number], ['error', 'zero', 'failed', 'nbd', 1]);
      assert.equal(record['status'], status);
    });

  test('is stopped with the service, after its time of grace', async () => {
    await using fixture = await DaemonUnderTest.start({ limits: { grace_sec: 1 } });
    await using workspace = await Workspace.create();
    const { url } = await workspace.nbdkit('--filter=delay', 'memory', `${sizeBytes}`, 'delay-read=3600');
    const image = await fixture.addImage(undefined, { url, size: sizeBytes, transfer_id: 'stopping' });
    // Data that is read: what a server calls zero would not be.
    const headers = { Prefer: 'respond-async' };
    const client = fixture.client();
    await client.write(image.id, Buffer.alloc(sizeBytes, 'x'), 0);
    const answer = await client.request('GET', `${image.path}/checksum`, { headers });
    assert.equal(answer.status, 202, answer.text);
    const recorded = recordOf(fixture, 'stopping');
    fixture.daemon.program.signal('SIGTERM');
    const { state, kind, error } = await recorded;
    assert.deepEqual([state, kind], ['cancelled', 'checksum']);
    assert.match(String(error), /The service is stopping/);
    assert.equal((await fixture.daemon.program.waitForExit()).code, 0);
  });
});
