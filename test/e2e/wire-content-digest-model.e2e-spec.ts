import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { KiB } from '../../src/base/units.js';
import type { ImagesClient } from '../support/client.js';
import { SeededRandom } from '../support/random.js';
import type { ImageTicket } from './daemon-under-test.js';
import { parseAnswer } from './raw-answers.js';
import { describeWire, type Wire } from './wire-under-test.js';

const imageBytes = 512 * KiB;
/** A body that is longer is written while it arrives. */
const bufferBytes = 64 * KiB;
const roundsCount = Number(process.env['TEST_ROUNDS'] ?? 8);
const atOnceMax = 6;

/** Something that was done to a part of the image, and what came of it. */
interface Action {
  readonly start: number;
  readonly end: number;
  /** What all bytes of it are. No other action of the run writes the same, but for zeroes. */
  readonly value: number;
  readonly isAccepted: boolean;
  /** Nothing of it can have been written when it was refused. */
  readonly isShort: boolean;
}

class Dice extends SeededRandom {
  part(): { readonly start: number; readonly end: number } {
    const longest = [100, bufferBytes, 300 * KiB][this.below(3)] ?? 100;
    const start = this.below(imageBytes - 1);
    return { start, end: Math.min(imageBytes, start + 1 + this.below(longest)) };
  }
}

/** One image, and clients that write, zero and read it at the same time. */
class Run {
  readonly #rounds: Action[][] = [];
  #values = 0;

  constructor(
    private readonly wire: Wire,
    private readonly client: ImagesClient,
    private readonly image: ImageTicket,
    private readonly dice: Dice,
  ) {}

  async round(): Promise<void> {
    const count = 1 + this.dice.below(atOnceMax);
    const begun = Array.from({ length: count }, () => this.#act());
    const actions = await Promise.all(begun);
    this.#rounds.push(actions.filter((action) => action !== undefined));
    await this.#compare();
  }

  async #act(): Promise<Action | undefined> {
    const { dice } = this;
    const part = dice.part();
    switch (dice.below(5)) {
      case 0:
        return this.#zero(part);
      case 1:
        await this.#read(part);
        return undefined;
      default:
        return this.#write(part);
    }
  }

  async #zero({ start, end }: { readonly start: number; readonly end: number }): Promise<Action> {
    await this.client.zero(this.image.id, { offsetBytes: start, lengthBytes: end - start });
    return { start, end, value: 0, isAccepted: true, isShort: true };
  }

  /** What comes is always what the digest says, whoever writes there meanwhile. */
  async #read({ start, end }: { readonly start: number; readonly end: number }): Promise<void> {
    const headers = { Range: `bytes=${start}-${end - 1}`, 'Want-Content-Digest': 'sha-512=1' };
    const {
      status,
      body,
      headers: answered,
    } = await this.client.request('GET', this.image.path, { headers });
    assert.equal(status, 206);
    assert.equal(answered['content-digest'], digestOf(body, 'sha-512'));
  }

  async #write({ start, end }: { readonly start: number; readonly end: number }): Promise<Action> {
    const { dice } = this;
    const value = ++this.#values;
    const body = Buffer.alloc(end - start, value);
    const isRight = dice.below(3) > 0;
    const digest = digestOf(
      isRight ? body : Buffer.alloc(body.length, 255),
      dice.below(2) ? 'sha-256' : 'sha-512',
    );
    const status = await (dice.below(2) === 0
      ? this.#send(start, [`Content-Length: ${body.length}`, `Content-Digest: ${digest}`], [body])
      : this.#send(start, ['Transfer-Encoding: chunked', 'Trailer: Content-Digest'], chunked(body, digest)));
    assert.equal(status, isRight ? 200 : 400);
    return { start, end, value, isAccepted: isRight, isShort: body.length <= bufferBytes };
  }

  async #send(start: number, framing: readonly string[], body: readonly Buffer[]): Promise<number> {
    const { wire, image, dice } = this;
    const socket = await wire.connect();
    const position = `Content-Range: bytes ${start}-*/*`;
    const headers = [...framing, position, 'Connection: close'];
    await socket.send(wire.request('PUT', `${image.path}?flush=n`, headers));
    const pauses = [dice.below(3), dice.below(3)];
    // In thirds, so that others come in between.
    const bytes = Buffer.concat(body);
    const third = Math.ceil(bytes.length / 3);
    for (let at = 0; at < bytes.length; at += third) {
      await socket.send(bytes.subarray(at, at + third));
      await pause(pauses.pop() ?? 0);
    }
    const { status } = parseAnswer(await socket.readUntilClose());
    socket.close();
    return status;
  }

  /** Nothing runs: all that counts as received is what an accepted request has written there last. */
  async #compare(): Promise<void> {
    const content = await this.wire.contentOf(this.image);
    const received = await this.#received();
    const borders = new Set([0, imageBytes]);
    for (const { start, end } of [...this.#rounds.flat(), ...received]) borders.add(start).add(end);
    const sorted = [...borders].sort((one, other) => one - other);
    for (const [index, start] of sorted.slice(0, -1).entries()) {
      const end = sorted[index + 1] ?? imageBytes;
      const expected = this.#expectedAt(start);
      const isReceived = received.some((range) => range.start <= start && start < range.end);
      const where = `${start}-${end} of round ${this.#rounds.length}`;
      if (expected.isCertain) assert.equal(isReceived, expected.values.length > 0, where);
      if (!isReceived) continue;
      const wrong = content.subarray(start, end).find((value) => !expected.values.includes(value));
      assert.equal(wrong, undefined, `${where} should have ${String(expected.values)}`);
    }
  }

  /** The values that a byte may have if it counts as received, and whether it must count if there is one. */
  #expectedAt(position: number): { readonly values: readonly number[]; readonly isCertain: boolean } {
    let isCertain = true;
    for (const round of this.#rounds.toReversed()) {
      const actions = round.filter(({ start, end }) => start <= position && position < end);
      const accepted = actions.filter(({ isAccepted }) => isAccepted);
      const touched = actions.filter(({ isAccepted, isShort }) => isAccepted || !isShort);
      // Whose change came last is known of one alone.
      if (touched.length > 1) isCertain = false;
      if (accepted.length > 0) return { values: accepted.map(({ value }) => value), isCertain };
      if (touched.length > 0) return { values: [], isCertain };
    }
    return { values: [], isCertain };
  }

  async #received(): Promise<{ readonly start: number; readonly end: number }[]> {
    const { text } = await this.client.request('GET', `${this.image.path}/ranges?limit=10000`);
    const { ranges } = JSON.parse(text) as { ranges: { start: number; length: number }[] };
    return ranges.map(({ start, length }) => ({ start, end: start + length }));
  }
}

const limits = { buffer_bytes: bufferBytes };
const routes = ['straight to the daemon', 'through the proxy with a session'] as const;

describeWire('digests of many requests at once', { configuration: { limits }, routes }, (wire) => {
  test('let nothing count that is not what was sent', async (context: TestContext) => {
    const seed = Number(process.env['TEST_SEED'] ?? Date.now() % 2 ** 31);
    context.diagnostic(`TEST_SEED=${seed}`);
    const dice = new Dice(seed);
    for (let images = 0; images < 3; images++) {
      const run = new Run(wire, wire.client(), await wire.addImage(imageBytes), dice);
      for (let round = 0; round < roundsCount; round++) await run.round();
    }
  });
});

/** A body in two chunks, with a digest behind it. */
function chunked(body: Buffer, digest: string): Buffer[] {
  const half = Math.ceil(body.length / 2);
  const chunks = [body.subarray(0, half), body.subarray(half)].filter(({ length }) => length > 0);
  return [
    ...chunks.flatMap((chunk) => [
      Buffer.from(`${chunk.length.toString(16)}\r\n`),
      chunk,
      Buffer.from('\r\n'),
    ]),
    Buffer.from(`0\r\nContent-Digest: ${digest}\r\n\r\n`),
  ];
}

function digestOf(data: Uint8Array, algorithm: 'sha-256' | 'sha-512'): string {
  return `${algorithm}=:${createHash(algorithm.replace('-', '')).update(data).digest('base64')}:`;
}
