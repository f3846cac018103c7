import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import {
  greeting,
  infoBlockSize,
  infoExport,
  metaContext,
  optionReply,
  ordinaryFlags,
  readOnlyFlag,
  replyType,
  u64,
} from '../../../../test/nbd/server-messages.js';
import { NbdConnectionError, NbdProtocolError } from './nbd-errors.js';
import { negotiate } from './nbd-handshake.js';
import { NbdHandshakeReader } from './nbd-handshake-reader.js';

const [exportNameOption, goOption, structuredOption, listOption, setOption] = [1, 7, 8, 9, 10];

/**
 * A server that has sent all of its answers in advance: the handshake is lock-step, so
 * that changes nothing.
 */
function conversation(...messages: readonly Buffer[]) {
  const reader = new NbdHandshakeReader();
  for (const message of messages) reader.consume(message);
  reader.closed(new NbdConnectionError('the server has nothing more to say'));
  const sent: Buffer[] = [];
  const channel = {
    read: (lengthBytes: number) => reader.read(lengthBytes),
    send: (bytes: Buffer) => void sent.push(bytes),
  };
  return { channel, reader, sent, text: () => Buffer.concat(sent).toString('latin1') };
}

const acknowledge = (option: number): Buffer => optionReply(option, replyType.acknowledge);
const context = (option: number, id: number, name: string): Buffer =>
  optionReply(option, replyType.metaContext, metaContext(id, name));
const go = (...infos: readonly Buffer[]): Buffer =>
  Buffer.concat([...infos.map((info) => optionReply(goOption, replyType.info, info)), acknowledge(goOption)]);

const wanted = { exportName: 'disk', dirtyBitmap: false };

describe('NBD handshake', () => {
  test('agrees on everything with a server that knows everything', async () => {
    const { channel, reader, text } = conversation(
      greeting(),
      acknowledge(structuredOption),
      context(listOption, 1, 'qemu:dirty-bitmap:backup'),
      acknowledge(listOption),
      context(setOption, 10, 'base:allocation'),
      context(setOption, 11, 'qemu:allocation-depth'),
      context(setOption, 12, 'qemu:dirty-bitmap:backup'),
      acknowledge(setOption),
      go(infoExport(1000), infoBlockSize(512, 4096, 65537)),
    );
    assert.deepEqual(await negotiate(channel, { exportName: 'disk', dirtyBitmap: true }), {
      sizeBytes: 1000,
      readOnly: false,
      canFlush: true,
      canMultiConn: false,
      canWriteZeroes: true,
      blockSizes: { minimumBytes: 512, maximumBytes: 65536 },
      structuredReplies: true,
      contexts: { allocation: 10, depth: 11, dirtyBitmap: 12 },
    });
    assert.equal(reader.unreadBytes, 0);
    assert.match(text(), /base:allocation.*qemu:allocation-depth.*qemu:dirty-bitmap:backup/);
  });

  test('asks for no bitmap unless it is wanted', async () => {
    const { channel, text } = conversation(
      greeting(),
      acknowledge(structuredOption),
      context(setOption, 10, 'base:allocation'),
      acknowledge(setOption),
      go(infoExport(1000)),
    );
    assert.deepEqual((await negotiate(channel, wanted)).contexts, { allocation: 10 });
    assert.doesNotMatch(text(), /dirty-bitmap/);
  });

  test('has no bitmap when the server lists none', async () => {
    const { channel } = conversation(
      greeting(),
      acknowledge(structuredOption),
      acknowledge(listOption),
      context(setOption, 10, 'base:allocation'),
      acknowledge(setOption),
      go(infoExport(1000)),
    );
    const { contexts } = await negotiate(channel, { exportName: 'disk', dirtyBitmap: true });
    assert.deepEqual(contexts, { allocation: 10 });
  });

  test('refuses an export with two dirty bitmaps', async () => {
    const { channel } = conversation(
      greeting(),
      acknowledge(structuredOption),
      context(listOption, 1, 'qemu:dirty-bitmap:a'),
      context(listOption, 2, 'qemu:dirty-bitmap:b'),
      acknowledge(listOption),
    );
    await assert.rejects(negotiate(channel, { exportName: 'disk', dirtyBitmap: true }), /2 dirty bitmaps/);
  });

  test('goes on without structured replies and contexts where there are none', async () => {
    const { channel } = conversation(
      greeting(),
      optionReply(structuredOption, replyType.unsupported),
      go(infoExport(2 ** 40, ordinaryFlags | readOnlyFlag)),
    );
    assert.deepEqual(await negotiate(channel, wanted), {
      sizeBytes: 2 ** 40,
      readOnly: true,
      canFlush: true,
      canMultiConn: false,
      canWriteZeroes: true,
      blockSizes: { minimumBytes: 1, maximumBytes: 32 * 1024 * 1024 },
      structuredReplies: false,
      contexts: {},
    });
  });

  test('caps a maximum block size beyond 32 MiB', async () => {
    const { channel } = conversation(
      greeting(),
      optionReply(structuredOption, replyType.unsupported),
      go(infoExport(1), infoBlockSize(1, 4096, 2 ** 32 - 1)),
    );
    assert.equal((await negotiate(channel, wanted)).blockSizes.maximumBytes, 32 * 1024 * 1024);
  });

  for (const padded of [false, true]) {
    test(`falls back to NBD_OPT_EXPORT_NAME, ${padded ? 'with' : 'without'} its padding`, async () => {
      const { channel, reader, sent } = conversation(
        greeting(padded ? 1 : 3),
        optionReply(structuredOption, replyType.unsupported),
        optionReply(goOption, replyType.unsupported),
        Buffer.concat([u64(4096), Buffer.from([0, ordinaryFlags]), Buffer.alloc(padded ? 124 : 0)]),
      );
      assert.equal((await negotiate(channel, wanted)).sizeBytes, 4096);
      assert.equal(reader.unreadBytes, 0);
      assert.equal(sent.at(-1)?.readUInt32BE(8), exportNameOption);
    });
  }

  test('uses nothing but NBD_OPT_EXPORT_NAME with a server that is not "fixed"', async () => {
    const { channel, sent } = conversation(
      greeting(0),
      Buffer.concat([u64(4096), Buffer.from([0, 0]), Buffer.alloc(124)]),
    );
    const nbdExport = await negotiate(channel, wanted);
    assert.equal(nbdExport.canFlush, false);
    assert.deepEqual(
      sent.slice(1).map((bytes) => bytes.readUInt32BE(8)),
      [exportNameOption],
    );
  });

  test('says so when the server requires TLS', async () => {
    const { channel } = conversation(greeting(), optionReply(structuredOption, replyType.tlsRequired));
    await assert.rejects(negotiate(channel, wanted), { name: 'NbdConnectionError', message: /requires TLS/ });
  });

  test("says that there is no such export; its name and the server's words stay in the log", async () => {
    const { channel } = conversation(
      greeting(),
      optionReply(structuredOption, replyType.unsupported),
      optionReply(goOption, replyType.unknown, Buffer.from('export disk unknown')),
    );
    await assert.rejects(negotiate(channel, wanted), (error: Error) => {
      assert.match(error.message, /no export of this name/);
      assert.doesNotMatch(error.message, /disk/);
      assert.match(String(error.cause), /export disk unknown/);
      return true;
    });
  });

  test('refuses an export that comes without a size', async () => {
    const { channel } = conversation(greeting(), acknowledge(structuredOption), acknowledge(setOption), go());
    await assert.rejects(negotiate(channel, wanted), NbdProtocolError);
  });

  test('refuses a server that never ends its answer', async () => {
    const endless = Array.from({ length: 65 }, (_, id) => context(setOption, id, 'base:allocation'));
    const { channel } = conversation(greeting(), acknowledge(structuredOption), ...endless);
    await assert.rejects(negotiate(channel, wanted), NbdProtocolError);
  });

  test('fails when the connection ends in the middle', async () => {
    const { channel } = conversation(greeting().subarray(0, 17));
    await assert.rejects(negotiate(channel, wanted), NbdConnectionError);
  });

  test('keeps no more than 64 KiB that nobody asked for', () => {
    const reader = new NbdHandshakeReader();
    reader.consume(Buffer.alloc(64 * 1024));
    assert.throws(() => {
      reader.consume(Buffer.alloc(1));
    }, NbdProtocolError);
  });
});
