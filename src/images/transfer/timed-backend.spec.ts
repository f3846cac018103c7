import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryBackend } from '../../../test/support/memory-backend.js';
import { BusyTime } from '../../base/busy-time.js';
import { TimedBackend } from './timed-backend.js';

function timed() {
  const clock = { milliseconds: 0 };
  const time = new BusyTime(() => clock.milliseconds);
  const backend = new MemoryBackend(Buffer.from('0123456789'));
  return { clock, time, backend, image: new TimedBackend(backend, time) };
}

describe('a timed backend', () => {
  test('does what the backend does', async () => {
    const { image, backend } = timed();
    assert.equal(await image.sizeBytes(), 10);
    await image.write(Buffer.from('ab'), 2);
    await image.zero({ offsetBytes: 4, lengthBytes: 1 }, { sparse: false });
    const data = await image.read(Buffer.alloc(16), { offsetBytes: 1, lengthBytes: 4 });
    assert.equal(Buffer.from(data).toString('latin1'), '1ab\0');
    await image.flush();
    await image.close();
    assert.equal(backend.closeCount, 1);
    assert.deepEqual(
      [image.kind, image.readersMax, image.writersMax, image.inFlightMax],
      [backend.kind, backend.readersMax, backend.writersMax, backend.inFlightMax],
    );
    assert.deepEqual([image.growable, image.canDirtyExtents], [false, false]);
  });

  test('adds the time of a call until it has ended', async () => {
    const { clock, time, backend, image } = timed();
    const gate = Promise.withResolvers<undefined>();
    backend.gate = gate.promise.then(() => undefined);
    const reading = image.read(Buffer.alloc(16), { offsetBytes: 0, lengthBytes: 1 });
    clock.milliseconds += 700;
    gate.resolve(undefined);
    await reading;
    clock.milliseconds += 1000;
    assert.equal(time.seconds, 0.7);
  });

  test('does not add what is done with an extent', async () => {
    const { clock, time, image } = timed();
    for await (const [extent] of image.extents('zero')) {
      assert.equal(extent?.length, 10);
      clock.milliseconds += 1000;
    }
    assert.equal(time.seconds, 0);
  });

  test('stops its clock when extents are given up', async () => {
    const { clock, time, image } = timed();
    for await (const [extent] of image.extents('zero')) {
      assert.equal(extent?.start, 0);
      break;
    }
    clock.milliseconds += 1000;
    assert.equal(time.seconds, 0);
  });
});
