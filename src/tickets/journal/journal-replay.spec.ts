import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SeededRandom } from '../../../test/support/random.js';
import { ticketDefinition } from '../../../test/support/tickets.js';
import { journalLine } from './journal-line.js';
import {
  durableLine,
  headLine,
  removedLine,
  stateLine,
  ticketLine,
  withdrawnLine,
} from './journal-records.js';
import { replayJournal } from './journal-replay.js';

const bootId = '0123456789abcdef0123456789abcdef';
const state = { expiresSeconds: 500, activeAtSeconds: 200, canceled: false, transferred: [[0, 10]] } as const;
const definition = ticketDefinition({ id: 'one', size: 2n ** 64n, filename: 'größe.raw' });
const one = ticketLine(definition, state);
const two = ticketLine(ticketDefinition({ id: 'two' }), state);

function replay(...lines: string[]): ReturnType<typeof replayJournal> {
  return replayJournal([headLine(bootId), ...lines].join(''), bootId);
}

function ids({ tickets }: ReturnType<typeof replayJournal>): string[] {
  return tickets.map((ticket) => ticket.definition.id);
}

describe('a journal', () => {
  test('gives back a ticket as it was last', () => {
    const later = { ...state, expiresSeconds: 600, canceled: true };
    const { tickets, problem } = replay(
      one,
      durableLine('one', true, { generation: 3, durable: [[0, 100, false]] }),
      durableLine('one', false, { generation: 3, durable: [[200, 50, true]] }),
      withdrawnLine('one', 10, 20),
      stateLine('one', later),
    );
    assert.equal(problem, undefined);
    const durable = [
      [0, 10, false],
      [20, 80, false],
      [200, 50, true],
    ];
    assert.deepEqual(tickets, [{ definition, state: later, received: { generation: 3, durable } }]);
  });

  test('does not give back a ticket that was removed, nor what was durable of one that was replaced', () => {
    const durable = durableLine('one', true, { generation: 1, durable: [[0, 100, false]] });
    const { tickets } = replay(two, one, durable, removedLine('two'), removedLine('one'), one);
    assert.deepEqual(
      tickets.map(({ definition: { id }, received }) => [id, received.durable]),
      [['one', []]],
    );
  });

  test('is not believed after a boot, with another format or without its first line', () => {
    assert.deepEqual(replayJournal(headLine('another') + one, bootId), {
      tickets: [],
      problem: 'the host was booted since',
    });
    const newer = journalLine({ kind: 'head', format: 2, boot: bootId });
    assert.deepEqual(replayJournal(newer + one, bootId), { tickets: [], problem: 'its format is 2' });
    for (const text of [one, '\n', 'garbage', '']) {
      assert.deepEqual(replayJournal(text, bootId), { tickets: [], problem: 'its first line is damaged' });
    }
  });

  test('is believed from behind the last line that is damaged, since that may have removed a ticket', () => {
    const damaged = removedLine('one').replace('"one"', '"oNe"');
    const replayed = replay(one, damaged, stateLine('one', state), two);
    assert.deepEqual(ids(replayed), ['two']);
    assert.equal(replayed.problem, '1 of its lines are damaged');
    assert.deepEqual(ids(replay(one, journalLine({ kind: 'unknown', id: 'one' }), two)), ['two']);
    assert.deepEqual(ids(replay(one, journalLine({ kind: 'state', id: 'one', state: {} }))), []);
  });

  test('that was cut at any byte says what its whole lines say', () => {
    const lines = [
      one,
      two,
      durableLine('one', true, { generation: 2, durable: [[0, 4096, false]] }),
      withdrawnLine('one', 100, 200),
      stateLine('two', { ...state, canceled: true }),
      removedLine('two'),
      durableLine('one', false, { generation: 2, durable: [[8192, 10, true]] }),
    ];
    const whole = Buffer.from([headLine(bootId), ...lines].join(''));
    for (let length = 0; length <= whole.length; length++) {
      // A cut character is of the line that was cut.
      const cut = whole.subarray(0, length).toString();
      const complete = whole.subarray(0, whole.subarray(0, length).lastIndexOf('\n') + 1).toString();
      assert.deepEqual(replayJournal(cut, bootId), replayJournal(complete, bootId));
    }
  });

  test('of which any byte is another one neither invents a ticket nor brings one back', () => {
    const random = new SeededRandom(1);
    const lines = [one, two, removedLine('one'), stateLine('two', state)];
    const whole = Buffer.from([headLine(bootId), ...lines].join(''));
    for (let offset = 0; offset < whole.length; offset++) {
      const changed = Buffer.from(whole);
      changed[offset] = (changed[offset]! + 1 + random.below(255)) % 256;
      const { tickets } = replayJournal(changed.toString(), bootId);
      for (const ticket of tickets) {
        assert.equal(ticket.definition.id, 'two', `byte ${offset}`);
        assert.deepEqual(ticket.received.durable, []);
      }
    }
  });
});
