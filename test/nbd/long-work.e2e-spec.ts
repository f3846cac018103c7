import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ImageTicket } from '../e2e/daemon-under-test.js';
import { describeWire, type Wire } from '../e2e/wire-under-test.js';
import { MiB } from '../../src/base/units.js';
import { missing, Workspace } from './servers.js';

const sizeBytes = MiB;

// What the proxy waits for a silent daemon, whatever it does, and what storage takes: twice as long.
const limitSeconds = 3;
const workSeconds = 6;

/** NBD servers that take long for one thing. */
const slowServers: Readonly<Record<string, readonly string[]>> = {
  read: ['--filter=delay', 'memory', `${sizeBytes}`, `delay-read=${workSeconds}`],
  write: ['--filter=delay', 'memory', `${sizeBytes}`, `delay-write=${workSeconds}`],
  zero: ['--filter=delay', 'memory', `${sizeBytes}`, `delay-zero=${workSeconds}`],
  extents: ['--filter=delay', 'memory', `${sizeBytes}`, `delay-extents=${workSeconds}`],
  open: ['--filter=delay', 'memory', `${sizeBytes}`, `delay-open=${workSeconds}`],
  flush: [
    'eval',
    `get_size=echo ${sizeBytes}`,
    'pread=head -c $3 /dev/zero',
    'pwrite=cat > /dev/null',
    'can_write=exit 0',
    'can_flush=exit 0',
    `flush=sleep ${workSeconds}`,
  ],
};

type Slow = (what: string) => Promise<ImageTicket>;

/** Defines tests with images whose storage is slow at something. */
function withSlowStorage(wire: Wire, cases: (slow: Slow) => void): void {
  describe('with slow storage', { concurrency: true, skip: missing('nbdkit') }, () => {
    let workspace: Workspace;
    before(async () => {
      workspace = await Workspace.create();
    });
    after(async () => {
      await workspace[Symbol.asyncDispose]();
    });
    cases(async (what) => {
      const { url } = await workspace.nbdkit(...(slowServers[what] ?? []));
      return wire.addImage(undefined, { url, size: sizeBytes });
    });
  });
}

const works = [
  ['read', 'GET', ''],
  ['write', 'PUT', '?flush=n', 'data'],
  ['flush', 'PUT', '', 'data'],
  ['zero', 'PATCH', '', JSON.stringify({ op: 'zero', size: sizeBytes })],
  ['flush', 'PATCH', '', '{"op":"flush"}'],
  ['extents', 'GET', '/extents'],
  ['extents', 'GET', '/checksum'],
  ['open', 'OPTIONS', ''],
] as const;

const proxied = {
  configuration: {
    proxy: { imaged_read_timeout_sec: limitSeconds, imaged_operation_timeout_sec: limitSeconds },
  },
};

describeWire('storage that takes longer than the proxy waits for a silent daemon', proxied, (wire) => {
  withSlowStorage(wire, (slow) => {
    for (const [what, method, rest, body] of works) {
      test(`is waited for while the daemon says it works: ${method} ${rest}, slow at ${what}`, async () => {
        const image = await slow(what);
        const answer = await wire.client().request(method, `${image.path}${rest}`, {
          headers: wire.credentials(image.path),
          ...(body === undefined ? {} : { body }),
        });
        assert.equal(answer.status, 200, answer.text);
      });
    }

    test('is waited for before the client is told to send', async () => {
      const image = await slow('open');
      const socket = await wire.connect();
      await socket.send(wire.request('PUT', image.path, ['Expect: 100-continue', 'Content-Length: 4'], ''));
      await socket.readUntil('HTTP/1.1 100 Continue\r\n\r\n');
      await socket.send('data');
      await socket.readUntil(' 200 OK\r\n');
      assert.doesNotMatch(socket.received.toString('latin1'), / 102 /);
    });
  });
});

describeWire('signs of life', { ...proxied, concurrency: true }, (wire) => {
  withSlowStorage(wire, (slow) => {
    const answerTo = async (lines: readonly string[], version = '1.1'): Promise<string> => {
      const { path } = await slow('zero');
      const body = JSON.stringify({ op: 'zero', size: sizeBytes });
      const request = wire.request(
        'PATCH',
        path,
        ['Connection: close', `Content-Length: ${body.length}`, ...lines],
        body,
      );
      const bytes = await wire.exchangeBytes(request.replace('HTTP/1.1', `HTTP/${version}`));
      return bytes.toString('latin1');
    };

    for (const interval of ['1', '0', '2']) {
      test(`come to who asks for them each ${interval} seconds, from a daemon and from a proxy`, async () => {
        const answer = await answerTo([`Processing-Interval: ${interval}`]);
        assert.match(answer, /^(?:HTTP\/1\.1 102 Processing\r\n\r\n)+HTTP\/1\.1 200 /);
      });
    }

    for (const lines of [
      [],
      ['Processing-Interval: ?1'],
      ['Processing-Interval:'],
      ['Processing-Interval: -1'],
    ]) {
      test(`do not come to who does not ask for them: ${lines.join()}`, async () => {
        assert.match(await answerTo(lines), /^HTTP\/1\.1 200 /);
      });
    }

    test('do not come to clients of HTTP/1.0', async () => {
      assert.match(await answerTo(['Processing-Interval: 1'], '1.0'), /^HTTP\/1\.1 200 /);
    });

    test('do not come while it is the client that is waited for', async () => {
      const image = await wire.addImage(new Uint8Array(4096));
      const socket = await wire.connect();
      await socket.send(
        wire.request('PUT', image.path, ['Processing-Interval: 1', 'Content-Length: 4096'], 'x'.repeat(100)),
      );
      await wire.ticketState(image, ({ transferred }) => transferred === 100, 'the first bytes are written');
      await socket.send('x'.repeat(3996));
      await socket.readUntil(' 200 OK\r\n');
      assert.doesNotMatch(socket.received.toString('latin1'), / 102 /);
    });
  });
});
