import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';

import { dropPrivileges, type PrivilegeOptions, type PrivilegeResult } from './privileges.js';

const isRoot = process.geteuid?.() === 0;
const skip = isRoot ? false : 'only root has privileges to drop';

/** An ordinary user of this system and a group other than its own. */
const userName = 'nobody';
const userId = idIn('/etc/passwd', userName);
const groupName = 'daemon';
const groupId = idIn('/etc/group', groupName);

function idIn(file: string, name: string): number {
  const entry = readFileSync(file, 'utf8')
    .split('\n')
    .find((line) => line.startsWith(`${name}:`));
  return Number(entry?.split(':')[2]);
}

let folder: string;
let options: PrivilegeOptions;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'privileges-'));
  options = { enable: true, userName, groupName, runDir: folder };
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

interface Outcome {
  readonly result: PrivilegeResult;
  readonly ids: readonly number[];
  readonly groups: readonly number[];
  /** The error code of trying to become root again. */
  readonly wayBack: string;
}

/** Drops the privileges of a process of its own: those of this one are needed for the next test. */
function dropInChild(childOptions: PrivilegeOptions): Outcome {
  const testedModule = JSON.stringify(new URL('./privileges.js', import.meta.url).href);
  const program = `
    const { dropPrivileges } = await import(${testedModule});
    const result = dropPrivileges(${JSON.stringify(childOptions)});
    let wayBack = 'open';
    try { process.setuid(0); } catch (error) { wayBack = error.code; }
    const ids = [process.getuid(), process.geteuid(), process.getgid(), process.getegid()];
    console.log(JSON.stringify({ result, ids, groups: process.getgroups(), wayBack }));
  `;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  return JSON.parse(output) as Outcome;
}

describe('as root', { skip }, () => {
  test('becomes the user and the group, for good', () => {
    const { result, ids, groups, wayBack } = dropInChild(options);
    assert.deepEqual(ids, [userId, userId, groupId, groupId]);
    assert.equal(wayBack, 'EPERM');
    assert.ok(!groups.includes(0));
    assert.deepEqual(result, { dropped: true, userId, groupId, groupIds: groups, ownedPaths: [folder] });
  });

  test('gives the run folder and the control socket to the user', () => {
    const controlSocketPath = join(folder, 'sock');
    writeFileSync(controlSocketPath, '');
    const { result } = dropInChild({ ...options, ownedFiles: [controlSocketPath] });
    for (const path of [folder, controlSocketPath]) {
      const { uid, gid } = statSync(path);
      assert.deepEqual([uid, gid], [userId, groupId], path);
    }
    assert.ok(result.dropped);
    assert.deepEqual(result.ownedPaths, [folder, controlSocketPath]);
  });

  test('does not give away what a symbolic link points to', () => {
    const target = join(folder, 'target');
    writeFileSync(target, '');
    const controlSocketPath = join(folder, 'sock');
    symlinkSync(target, controlSocketPath);
    dropInChild({ ...options, ownedFiles: [controlSocketPath] });
    assert.equal(statSync(target).uid, 0);
  });

  test('stays root when it is disabled', () => {
    const { result, ids } = dropInChild({ ...options, enable: false });
    assert.deepEqual(result, { dropped: false, reason: 'disabled' });
    assert.deepEqual(ids, [0, 0, 0, 0]);
    assert.equal(statSync(folder).uid, 0);
  });

  test('refuses a user or group that does not exist, before anything is changed', () => {
    assert.throws(() => dropPrivileges({ ...options, userName: 'no-such-user' }), {
      name: 'PrivilegeError',
      message: 'User no-such-user of [daemon] user_name does not exist',
    });
    assert.throws(() => dropPrivileges({ ...options, groupName: 'no-such-group' }), {
      name: 'PrivilegeError',
      message: 'Group no-such-group of [daemon] group_name does not exist',
    });
    assert.equal(statSync(folder).uid, 0);
    assert.equal(process.geteuid?.(), 0);
  });

  test('refuses a path that it cannot give away, and stays root', () => {
    const runDir = join(folder, 'missing');
    assert.throws(() => dropPrivileges({ ...options, runDir }), {
      name: 'PrivilegeError',
      message: new RegExp(`^Cannot change the owner of ${runDir}: ENOENT`),
    });
    assert.equal(process.geteuid?.(), 0);
  });
});

describe('as an ordinary user', () => {
  before(() => {
    if (isRoot) process.seteuid?.(userId);
  });

  after(() => {
    if (isRoot) process.seteuid?.(0);
  });

  test('has nothing to drop and looks no user up', () => {
    assert.deepEqual(dropPrivileges({ ...options, userName: 'no-such-user' }), {
      dropped: false,
      reason: 'not root',
    });
  });
});
