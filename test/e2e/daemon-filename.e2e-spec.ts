import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { after, before, describe, test } from 'node:test';
import { needs } from '../support/requirements.js';
import { DaemonUnderTest } from './daemon-under-test.js';

const run = promisify(execFile);

describe('the file name of a download', () => {
  let fixture: DaemonUnderTest;
  before(async () => {
    fixture = await DaemonUnderTest.start();
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  async function disposition(filename: string): Promise<string> {
    const { path } = await fixture.addImage(4, { ops: ['read'], filename });
    const answer = await fixture.client().request('GET', path);
    assert.equal(answer.status, 200);
    return answer.headers['content-disposition'] ?? '';
  }

  test('is that of the ticket', async () => {
    assert.equal(await disposition('disk 1.qcow2'), 'attachment; filename="disk 1.qcow2"');
  });

  test('comes in UTF-8 and in ASCII when it is not ASCII', async () => {
    assert.equal(
      await disposition('Größe-💾.raw'),
      'attachment; filename="Gr__e-_.raw"; filename*=UTF-8\'\'Gr%C3%B6%C3%9Fe-%F0%9F%92%BE.raw',
    );
  });

  for (const name of ['a"; x="b', 'a\r\nX-Evil: 1', 'a\\b', '../../etc/passwd', '\u0000', '\ud800']) {
    test(`cannot break out of the header: ${JSON.stringify(name)}`, async () => {
      const { path } = await fixture.addImage(4, { ops: ['read'], filename: name });
      const answer = await fixture.client().request('GET', path);
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['x-evil'], undefined);
      const header = answer.headers['content-disposition'] ?? '';
      assert.match(header, /^attachment; filename="[^"\\/\r\n]*"(; filename\*=UTF-8''[\w!#$&+\-.^`|~%]+)?$/);
    });
  }

  test('is what curl stores the image under', { skip: needs('curl') }, async () => {
    const { path } = await fixture.addImage(Buffer.from('data'), { ops: ['read'], filename: 'stored.raw' });
    const folder = fixture.folder.file('curl');
    const arguments_ = ['-sfOJ', '--create-dirs', '--output-dir', folder, '--cacert', fixture.pki.caFile];
    await run('curl', [...arguments_, `${fixture.daemon.url}${path}`]);
    assert.deepEqual(await readdir(folder), ['stored.raw']);
    assert.equal(await readFile(`${folder}/stored.raw`, 'utf8'), 'data');
  });
});
