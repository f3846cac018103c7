import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, stat } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { Pki } from '../support/pki.js';
import { startDaemon, type Service } from '../support/processes.js';
import { needs } from '../support/requirements.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { DaemonUnderTest } from './daemon-under-test.js';
import { askMonitoring, monitored } from './monitoring.js';

const skip =
  process.getuid?.() === 0 ? needs('useradd', 'userdel', 'setpriv') : 'only root has privileges to drop';

/** A user of its own, as a package makes one, so that nothing else on the machine belongs to it. */
const userName = `imageio-${process.pid}`;

function id(option: '-u' | '-g'): number {
  return Number(execFileSync('id', [option, userName], { encoding: 'utf8' }));
}

/** What all threads have of `field`, in proc(5) of `/proc/PID/task`: each has privileges of its own. */
function ofAllThreads({ program }: Service, field: string): readonly string[] {
  const folder = `/proc/${program.pid}/task`;
  const threads = readdirSync(folder);
  assert.ok(threads.length > 5, 'the threads of the JavaScript engine and for files are there');
  const values = threads.map((thread) => {
    const status = readFileSync(`${folder}/${thread}/status`, 'utf8');
    return new RegExp(`^${field}:\\s+(.*)$`, 'm').exec(status)?.[1] ?? 'unknown';
  });
  return [...new Set(values)];
}

const noCapability = '0'.repeat(16);

describe('a daemon with privileges to lose', { skip }, () => {
  before(() => {
    execFileSync('useradd', ['--system', '--no-create-home', '--user-group', userName]);
  });
  after(() => {
    execFileSync('userdel', [userName]);
  });

  for (const [what, startedBy] of [
    ['', []],
    [' with options of the JavaScript engine', ['env', 'NODE_OPTIONS=--max-semi-space-size=4']],
  ] as const) {
    test(`with drop_privileges${what} can gain no privilege in any thread`, async () => {
      await using folder = await TemporaryFolder.create();
      const pki = await Pki.create(folder.file('pki'));
      const configuration = {
        daemon: { drop_privileges: true, user_name: userName, group_name: userName },
      };
      const daemon = await startDaemon({ folder: folder.path, pki, configuration, startedBy });
      try {
        const userId = id('-u');
        assert.deepEqual(ofAllThreads(daemon, 'Uid'), [Array(4).fill(userId).join('\t')]);
        assert.deepEqual(ofAllThreads(daemon, 'NoNewPrivs'), ['1']);
        for (const set of ['CapBnd', 'CapPrm', 'CapEff', 'CapAmb'])
          assert.deepEqual(ofAllThreads(daemon, set), [noCapability], set);
        // Of the main thread, and of those that it starts, nothing is inheritable either.
        const status = readFileSync(`/proc/${daemon.program.pid}/status`, 'utf8');
        assert.match(status, /^CapInh:\t0+$/m);
      } finally {
        await daemon.stop();
      }
    });
  }

  test('stays root without drop_privileges, and still refuses new ones', async () => {
    await using fixture = await DaemonUnderTest.start();
    assert.deepEqual(ofAllThreads(fixture.daemon, 'NoNewPrivs'), ['1']);
    assert.deepEqual(ofAllThreads(fixture.daemon, 'CapBnd'), [noCapability]);
    assert.deepEqual(ofAllThreads(fixture.daemon, 'Uid'), ['0\t0\t0\t0']);
    assert.ok(!ofAllThreads(fixture.daemon, 'CapEff').includes(noCapability));
  });

  test('by root that may not empty the bounding set starts all the same', async () => {
    await using folder = await TemporaryFolder.create();
    const pki = await Pki.create(folder.file('pki'));
    const configuration = {
      daemon: { drop_privileges: true, user_name: userName, group_name: userName },
    };
    const startedBy = ['setpriv', '--bounding-set', '-setpcap'];
    const daemon = await startDaemon({ folder: folder.path, pki, configuration, startedBy });
    assert.deepEqual(ofAllThreads(daemon, 'NoNewPrivs'), ['1']);
    assert.deepEqual(ofAllThreads(daemon, 'CapEff'), [noCapability]);
    assert.deepEqual(ofAllThreads(daemon, 'CapInh'), [noCapability]);
    await daemon.stop();
  });

  test('by another user refuses new privileges, and keeps what it was given to bind its port', async () => {
    await using folder = await TemporaryFolder.create();
    const pki = await Pki.create(folder.file('pki'));
    const identity = await pki.issueHost('daemon');
    execFileSync('chown', ['-R', userName, folder.path]);
    const capability = '+net_bind_service';
    const startedBy = ['setpriv', '--reuid', userName, '--regid', userName, '--clear-groups'];
    startedBy.push('--inh-caps', capability, '--ambient-caps', capability);
    const daemon = await startDaemon({ folder: folder.path, pki, identity, startedBy });
    assert.deepEqual(ofAllThreads(daemon, 'NoNewPrivs'), ['1']);
    assert.deepEqual(ofAllThreads(daemon, 'CapEff'), ['0000000000000400']);
    await daemon.stop();
  });

  test('takes a renewed certificate after it has dropped its privileges', async () => {
    await using fixture = await DaemonUnderTest.start({
      daemon: { drop_privileges: true, user_name: userName, group_name: userName },
    });
    execFileSync('chown', ['-R', userName, fixture.pki.folder]);
    const { program } = fixture.daemon;
    program.signal('SIGHUP');
    await program.waitForLine(
      (line) => (line.includes('Reloaded the certificate') ? line : undefined),
      'the certificate to be read again',
    );
  });

  test('with drop_privileges serves as the user and owns its control socket until it ends', async () => {
    await using fixture = await DaemonUnderTest.start({
      ...monitored,
      daemon: { drop_privileges: true, user_name: userName, group_name: userName },
    });
    const { daemon } = fixture;
    const [userId, groupId] = [id('-u'), id('-g')];
    const status = readFileSync(`/proc/${daemon.program.pid}/status`, 'utf8');
    // Real, effective, saved and file system id: there is no way back.
    assert.match(status, new RegExp(`^Uid:\t${userId}\t${userId}\t${userId}\t${userId}$`, 'm'));
    assert.match(status, new RegExp(`^Gid:\t${groupId}\t${groupId}\t${groupId}\t${groupId}$`, 'm'));
    assert.match(status, /^CapEff:\t0+$/m);

    const control = daemon.address('control');
    assert.ok(control.kind === 'unix');
    const { uid, gid } = await stat(control.path);
    assert.deepEqual([uid, gid], [userId, groupId]);

    // An image that is not the user's is not opened; its own is served.
    const ticket = await fixture.addImage(Buffer.alloc(2 * MiB, 'x'));
    await chmod(ticket.file, 0o600);
    assert.equal((await fixture.client().request('GET', ticket.path)).status, 500);
    await chmod(ticket.file, 0o666);
    const client = fixture.client();
    await client.write(ticket.id, Buffer.from('written'), 0, true);
    assert.equal((await client.read(ticket.id, { offsetBytes: 0, lengthBytes: 8 })).toString(), 'writtenx');
    // Hashing starts threads and loads files, which the user must be able to do.
    assert.match(await client.checksum(ticket.id), /^[0-9a-f]{64}$/);
    assert.equal((await askMonitoring(daemon, '/health/ready')).status, 200);

    await daemon.stop();
    assert.equal(existsSync(control.path), false);
  });
});
