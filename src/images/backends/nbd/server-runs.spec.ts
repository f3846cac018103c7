import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ServerRuns } from './server-runs.js';

describe('ServerRuns', () => {
  it('has connections to the same server in one run, until the last is closed', () => {
    const runs = new ServerRuns();
    const one = runs.join('server', 'disk');
    const { incarnation } = one;
    const two = runs.join('server', 'disk');
    assert.equal(two.incarnation, incarnation);
    one.leave();
    one.leave();
    assert.equal(runs.join('server', 'disk').incarnation, incarnation);
    two.leave();
  });

  it('begins another one when nobody was connected', () => {
    const runs = new ServerRuns();
    const one = runs.join('server', 'disk');
    one.leave();
    assert.notEqual(runs.join('server', 'disk').incarnation, one.incarnation);
  });

  it('takes a server for another one when a connection to it was lost', () => {
    const runs = new ServerRuns();
    const [one, two] = [runs.join('server', 'disk'), runs.join('server', 'disk')];
    const { incarnation } = two;
    one.lost();
    assert.notEqual(two.incarnation, incarnation);
    assert.equal(one.incarnation, two.incarnation);
    assert.equal(runs.join('server', 'disk').incarnation, two.incarnation);
  });

  it('has each connection in a run of its own where the server cannot be told', () => {
    const runs = new ServerRuns();
    assert.notEqual(runs.join(undefined, 'disk').incarnation, runs.join(undefined, 'disk').incarnation);
    assert.notEqual(runs.join('one', 'disk').incarnation, runs.join('other', 'disk').incarnation);
  });

  it('knows nothing while a server is reached by two names, and nothing of before afterwards', () => {
    const runs = new ServerRuns();
    const one = runs.join('server', 'disk');
    const { incarnation } = one;
    const other = runs.join('server', 'disk by another name');
    assert.deepEqual([one.incarnation, other.incarnation], [undefined, undefined]);
    other.leave();
    assert.ok(one.incarnation !== undefined && one.incarnation !== incarnation);
  });
});
