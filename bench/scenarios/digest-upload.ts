import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { upload, type Transport } from '../clients/curl.js';
import { oursWithAndWithout, type Side } from '../side.js';
import type { Stand } from '../stand.js';
import type { Scenario, Subject } from './scenario.js';
import { startUploads, uploads } from './upload.js';

/** PUT of the whole image with a `Content-Digest`, beside one without it. */
export class DigestUploadScenario implements Scenario {
  readonly sides = oursWithAndWithout;

  constructor(
    readonly name: string,
    readonly title: string,
    private readonly transport: Transport,
  ) {}

  async start(stand: Stand, side: Side, lifetime: AsyncDisposableStack): Promise<Subject> {
    const { target, image } = await startUploads(stand, side, lifetime, this.transport);
    const digests = await Promise.all(stand.sources.map(digestHeader));
    return uploads(stand, target, image, (round) => {
      const digest = digests[round % digests.length] ?? '';
      return upload(target, stand.source(round), side.name === 'with' ? [digest] : []);
    });
  }
}

async function digestHeader(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return `Content-Digest: sha-256=:${hash.digest('base64')}:`;
}
