import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ServerRuns } from './server-runs.js';

describe('ServerRuns', () => {
  it('has connections to the same server in one run, until the last is closed', () => {
    const runs = new ServerRuns();
    const one = runs.join('server');
    const { incarnation } = one;
    const two = runs.join('server');
    assert.equal(two.incarnation, incarnation);
    one.leave();
    one.leave();
    assert.equal(runs.join('server').incarnation, incarnation);
    two.leave();
  });

  it('begins another one when nobody was connected', () => {
    const runs = new ServerRuns();
    const one = runs.join('server');
    one.leave();
    assert.notEqual(runs.join('server').incarnation, one.incarnation);
  });

  it('takes a server for another one when a connection to it was lost', () => {
    const runs = new ServerRuns();
    const [one, two] = [runs.join('server'), runs.join('server')];
    const { incarnation } = two;
    one.lost();
    assert.notEqual(two.incarnation, incarnation);
    assert.equal(one.incarnation, two.incarnation);
    assert.equal(runs.join('server').incarnation, two.incarnation);
  });

  it('has each connection in a run of its own where the server cannot be told', () => {
    const runs = new ServerRuns();
    assert.notEqual(runs.join(undefined).incarnation, runs.join(undefined).incarnation);
    assert.notEqual(runs.join('one').incarnation, runs.join('other').incarnation);
  });
});
