import { after } from 'node:test';
import { Pki, type Identity } from '../support/pki.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

export interface Certificates {
  readonly pki: Pki;
  readonly daemon: Identity;
}

/** An authority and a daemon's certificate for the tests of one file. */
export async function certificates(): Promise<Certificates> {
  const folder = await TemporaryFolder.create();
  after(() => folder[Symbol.asyncDispose]());
  const pki = await Pki.create(folder.path);
  return { pki, daemon: await pki.issueHost('daemon') };
}
