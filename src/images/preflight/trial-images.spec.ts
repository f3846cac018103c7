import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryBackend } from '../../../test/support/memory-backend.js';
import { ManualClock, ticketDefinition } from '../../../test/support/tickets.js';
import { Ticket } from '../../tickets/ticket.js';
import type { Backend, ImageSource } from '../backends/backend.js';
import { KeptDigests } from '../checksum/kept-digests.js';
import { OpenImages } from '../transfer/open-images.js';
import { TrialImages } from './trial-images.js';

/** Storage that opens images when it is let go. */
class HangingSource implements ImageSource {
  readonly schemes = ['memory'];
  readonly backend = new MemoryBackend(Buffer.alloc(10));
  readonly #answer = Promise.withResolvers<Backend>();
  openings = 0;

  open(): Promise<Backend> {
    this.openings += 1;
    return this.#answer.promise;
  }

  answer(): void {
    this.#answer.resolve(this.backend);
  }
}

function trial(): { source: HangingSource; ticket: Ticket; trials: TrialImages } {
  const source = new HangingSource();
  const ticket = new Ticket(ticketDefinition({ url: 'memory:image' }), new ManualClock(), { rangesMax: 16 });
  return { source, ticket, trials: new TrialImages(new OpenImages([source], new KeptDigests(1))) };
}

const never = new AbortController().signal;

describe('an image that is opened to be looked at', () => {
  test('is closed afterwards, also when looking fails', async () => {
    const { source, ticket, trials } = trial();
    source.answer();
    assert.equal(await trials.look(ticket, never, (image) => image.sizeBytes()), 10);
    await assert.rejects(
      trials.look(ticket, never, () => Promise.reject(new Error('spoilt'))),
      /spoilt/,
    );
    assert.equal(source.backend.closeCount, 2);
    assert.equal(ticket.info().connections, 0);
  });

  test('is waited for by removing the ticket, when it hangs and nobody waits any more', async () => {
    const { source, ticket, trials } = trial();
    const patience = new AbortController();
    const looking = trials.look(ticket, patience.signal, (image) => image.sizeBytes());
    patience.abort(new Error('time is up'));
    await assert.rejects(looking, /time is up/);
    ticket.cancel();
    const closed = ticket.closed();
    assert.equal(source.backend.closeCount, 0);
    source.answer();
    await closed;
    assert.equal(source.backend.closeCount, 1);
  });

  test('is not opened for a ticket that was cancelled while another one hung', async () => {
    const { source, ticket, trials } = trial();
    const patience = new AbortController();
    const first = trials.look(ticket, patience.signal, (image) => image.sizeBytes());
    const second = trials.look(ticket, patience.signal, (image) => image.sizeBytes());
    source.answer();
    ticket.cancel();
    patience.abort(new Error('the ticket was cancelled'));
    await assert.rejects(first, /cancelled/);
    await assert.rejects(second, /cancelled/);
    await ticket.closed();
    assert.deepEqual([source.openings, source.backend.closeCount], [1, 1]);
  });

  test('is not opened a second time while it hangs', async () => {
    const { source, ticket, trials } = trial();
    const patience = new AbortController();
    const lookings = [1, 2, 3].map(() =>
      assert.rejects(
        trials.look(ticket, patience.signal, (image) => image.sizeBytes()),
        /time is up/,
      ),
    );
    patience.abort(new Error('time is up'));
    await Promise.all(lookings);
    assert.equal(source.openings, 1);
    source.answer();
    assert.equal(await trials.look(ticket, never, (image) => image.sizeBytes()), 10);
  });
});
