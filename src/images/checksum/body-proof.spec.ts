import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { after, describe, test } from 'node:test';
import { DigestMismatchError, InvalidRequestError } from '../../base/errors.js';
import { KiB } from '../../base/units.js';
import { formatContentDigest, type DigestAlgorithm } from '../../wire/headers/content-digest.js';
import { AlignedMemory } from '../buffers/aligned-memory.js';
import { BodyProof, digestOf, expectedDigests, hashNames } from './body-proof.js';
import { HashWorkers } from './hash-workers.js';

const workers = new HashWorkers();
const memory = new AlignedMemory(64 * KiB);

function shared(data: Uint8Array): Uint8Array {
  const copy = memory.allocate(data.length);
  copy.set(data);
  return copy;
}

function field(data: Uint8Array, algorithm: DigestAlgorithm = 'sha-256'): string {
  return formatContentDigest(algorithm, createHash(hashNames[algorithm]).update(data).digest());
}

/** A request that has come as a whole. @param trailer undefined when nothing was announced */
function received(head: Record<string, string>, trailer?: string): IncomingMessage {
  const chunked = trailer === undefined ? {} : { trailer: 'Content-Digest', 'transfer-encoding': 'chunked' };
  const trailers = trailer === undefined || trailer === '' ? {} : { 'content-digest': trailer };
  return Object.assign(new IncomingMessage(new Socket()), { headers: { ...head, ...chunked }, trailers });
}

/** Checks a body that comes in pieces of `pieceBytes`. @throws what is wrong with it */
async function check(request: IncomingMessage, body: Uint8Array, pieceBytes = 1000): Promise<void> {
  const expected = expectedDigests(request);
  assert.ok(expected !== undefined);
  const proof = new BodyProof(workers, expected);
  try {
    for (let at = 0; at < body.length; at += pieceBytes)
      await proof.update(shared(body.subarray(at, at + pieceBytes)));
    await proof.check(request);
  } finally {
    proof.close();
  }
}

const body = randomBytes(10_000);
const other = Buffer.from(body);
other[5000] = (other[5000] ?? 0) ^ 1;
const mismatch = (algorithm: DigestAlgorithm) => (error: unknown) =>
  error instanceof DigestMismatchError && error.algorithm === algorithm;

describe('the proof of a body', () => {
  after(() => workers.close());

  test('is asked for by a digest that is known, in the head or announced', () => {
    assert.equal(expectedDigests(received({})), undefined);
    assert.equal(expectedDigests(received({ 'content-digest': 'md5=:AAAA:' })), undefined);
    assert.equal(expectedDigests(received({ 'content-digest': field(body) }))?.announced, false);
    assert.equal(expectedDigests(received({}, ''))?.announced, true);
    assert.throws(() => expectedDigests(received({ 'content-digest': 'sha-256' })), InvalidRequestError);
  });

  for (const algorithm of ['sha-256', 'sha-512'] as const) {
    test(`finds a flipped bit by ${algorithm}, told before the body or behind it`, async () => {
      const digest = field(body, algorithm);
      for (const request of [received({ 'content-digest': digest }), received({}, digest)]) {
        await check(request, body);
        await check(request, body, 7777);
        await assert.rejects(check(request, other), mismatch(algorithm));
      }
    });
  }

  test('holds for a body of no bytes', async () => {
    const empty = new Uint8Array();
    await check(received({ 'content-digest': field(empty) }), empty);
    await check(received({}, field(empty, 'sha-512')), empty);
    await assert.rejects(check(received({ 'content-digest': field(body) }), empty), mismatch('sha-256'));
  });

  test('has to be right by every digest that came', async () => {
    const head = `${field(body)}, ${field(other, 'sha-512')}`;
    await assert.rejects(check(received({ 'content-digest': head }), body), mismatch('sha-512'));
    const request = (inHead: Uint8Array, behind: Uint8Array): IncomingMessage =>
      received({ 'content-digest': field(inHead) }, field(behind));
    await check(request(body, body), body);
    await assert.rejects(check(request(other, body), body), mismatch('sha-256'));
    await assert.rejects(check(request(body, other), body), mismatch('sha-256'));
  });

  test('is missing when what was announced does not come, or is malformed', async () => {
    for (const trailer of ['', 'sha-256=1', 'sha-256=:AAAA:'])
      await assert.rejects(check(received({}, trailer), body), InvalidRequestError);
  });

  test('holds when the announced digest is of an algorithm that nobody knows here', async () => {
    await check(received({}, 'md5=:AAAA:'), body);
  });

  test('waits until all threads have let go of a piece', async () => {
    const proof = new BodyProof(workers, { inHead: new Map(), announced: true });
    const piece = shared(body);
    await proof.update(piece);
    piece.fill(0);
    await proof.check(received({}, `${field(body)}, ${field(body, 'sha-512')}`));
    proof.close();
  });

  test('fails, and does not hang, when the threads end', async () => {
    const mortal = new HashWorkers();
    const proof = new BodyProof(mortal, { inHead: new Map(), announced: true });
    await proof.update(shared(body));
    await mortal.close();
    await assert.rejects(proof.update(shared(body)), /hash thread/);
    proof.close();
  });
});

describe('the digest of what is sent', () => {
  test('is that of the data, also of none', async () => {
    const own = new HashWorkers();
    for (const data of [new Uint8Array(), body]) {
      const digest = await digestOf(own, 'sha-512', data.length === 0 ? data : shared(data));
      assert.deepEqual(Buffer.from(digest), createHash('sha512').update(data).digest());
    }
    await own.close();
  });
});
