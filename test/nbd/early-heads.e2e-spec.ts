import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { KiB, MiB, GiB } from '../../src/base/units.js';
import type { ImageTicket } from '../e2e/daemon-under-test.js';
import { describeWire } from '../e2e/wire-under-test.js';
import { Program } from '../support/program.js';
import type { RawSocket } from '../support/raw-socket.js';
import { missing, Workspace } from './servers.js';

/** Of what one request for block status asks for, so that there are many requests. */
const askedAtOnceBytes = 2 * GiB;
const asks = 150;
/** An empty image, of which it takes 7.5 s to learn that. */
const slowExtents = ['--filter=delay', 'memory', `${asks * askedAtOnceBytes}`, 'delay-extents=50ms'];
const slowExtentsBytes = asks * askedAtOnceBytes;

/** Of an image with data, which it takes 7 s to read. */
const slowReads = ['--filter=delay', 'pattern', `${MiB}`, 'delay-read=7'];

/** Gives up after 6 s without a byte, as clients in the field do after 60. */
const pythonClient = `
import json, ssl, sys
from http.client import HTTPSConnection
ca, port, path, headers = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
client = HTTPSConnection("localhost", int(port), timeout=6, context=context)
client.request("GET", path, headers=json.loads(headers))
[extent] = json.loads(client.getresponse().read())
assert extent["zero"] and extent["length"] == ${slowExtentsBytes}
`;

/** When something came, in seconds from the beginning. */
class Arrivals {
  readonly seconds: number[] = [];
  readonly #begun = performance.now();

  async watch(socket: RawSocket): Promise<string> {
    let seen = 0;
    for (;;) {
      try {
        seen = (await socket.readAtLeast(seen + 1)).length;
      } catch {
        return socket.received.toString('latin1');
      }
      this.seconds.push((performance.now() - this.#begun) / 1000);
    }
  }

  get longestGapSeconds(): number {
    return Math.max(...this.seconds.map((at, index) => at - (this.seconds[index - 1] ?? 0)));
  }
}

function bodyOf(received: string): unknown {
  const end = received.indexOf('\r\n\r\n') + 4;
  const chunks = received.slice(end).split('\r\n');
  return JSON.parse(chunks.filter((_, index) => index % 2 === 1).join(''));
}

describeWire('an answer that is later than its client waits', { concurrency: true }, (wire) => {
  describe('for', { concurrency: true, skip: missing('nbdkit', 'python3') }, () => {
    let workspace: Workspace;
    before(async () => {
      workspace = await Workspace.create();
    });
    after(async () => {
      await workspace[Symbol.asyncDispose]();
    });

    const slowImage = async (server: readonly string[], size: number): Promise<ImageTicket> => {
      const { url } = await workspace.nbdkit(...server);
      return wire.addImage(undefined, { url, size, ops: ['read'] });
    };

    const arrivals = async (path: string): Promise<{ received: string; times: Arrivals }> => {
      const socket = await wire.connect();
      const times = new Arrivals();
      await socket.send(wire.request('GET', path, ['Connection: close']));
      return { received: await times.watch(socket), times };
    };

    test('extents begins within a second and is never silent for long', async (t) => {
      const { path } = await slowImage(slowExtents, slowExtentsBytes);
      const { received, times } = await arrivals(`${path}/extents`);
      t.diagnostic(times.seconds.map((at) => at.toFixed(2)).join(' '));
      assert.match(received, /^HTTP\/1\.1 200 OK\r\n/);
      assert.deepEqual(bodyOf(received), [{ start: 0, length: slowExtentsBytes, zero: true, hole: false }]);
      assert.ok(times.longestGapSeconds < 6);
      assert.ok(times.seconds[0]! < 2 && times.seconds.at(-1)! > 6);
    });

    test('a checksum begins within a second and is never silent for long', async () => {
      const { path } = await slowImage(slowReads, MiB);
      const { received, times } = await arrivals(`${path}/checksum`);
      assert.match(received, /^HTTP\/1\.1 200 OK\r\n/);
      assert.match((bodyOf(received) as { checksum: string }).checksum, /^[0-9a-f]{64}$/);
      assert.ok(times.longestGapSeconds < 6);
      assert.ok(times.seconds[0]! < 2 && times.seconds.at(-1)! > 6);
    });

    test('a client in Python that waits less than that for a byte gets it', async () => {
      const { path } = await slowImage(slowExtents, slowExtentsBytes);
      const ca = workspace.path(`${randomUUID()}.pem`);
      await writeFile(ca, wire.daemon.pki.caPem);
      const { address } = wire;
      assert.ok(address.kind === 'tls');
      const headers = JSON.stringify(wire.credentials(path));
      const program = await Program.start('python3', [
        ...['-c', pythonClient, ca, String(address.port), `${path}/extents`, headers],
      ]);
      const { code } = await program.waitForExit();
      assert.equal(code, 0, program.lastLines(10));
    });

    test('a result that is there at once has its length', async () => {
      const image = await wire.addImage(64 * KiB);
      for (const path of ['extents', 'checksum']) {
        const answer = await wire.client().request('GET', `${image.path}/${path}`);
        assert.equal(answer.headers['content-length'], String(answer.body.length));
      }
    });
  });
});
