import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, stat } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/units.js';
import { needs } from '../support/requirements.js';
import { DaemonFixture } from './daemon.fixture.js';
import { askMonitoring, monitored } from './monitoring.js';

const skip = process.getuid?.() === 0 ? needs('useradd', 'userdel') : 'only root has privileges to drop';

/** A user of its own, as a package makes one, so that nothing else on the machine belongs to it. */
const userName = `imageio-${process.pid}`;

function id(option: '-u' | '-g'): number {
  return Number(execFileSync('id', [option, userName], { encoding: 'utf8' }));
}

describe('a daemon that is started by root with drop_privileges', { skip }, () => {
  before(() => {
    execFileSync('useradd', ['--system', '--no-create-home', '--user-group', userName]);
  });
  after(() => {
    execFileSync('userdel', [userName]);
  });

  test('runs as the user, serves, owns its control socket, and removes it when it stops', async () => {
    await using fixture = await DaemonFixture.start({
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
