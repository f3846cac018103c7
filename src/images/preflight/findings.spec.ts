import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GiB, MiB } from '../../base/units.js';
import type { StorageTrouble } from '../../base/errors.js';
import type { Finding } from './finding.js';
import { findings } from './findings.js';
import type { ImageFacts, TicketFacts, TransferPlan } from './preflight-facts.js';

const ticket: TicketFacts = {
  sizeBytes: GiB,
  remainingSeconds: 300,
  inactivityTimeoutSeconds: 60,
  sparse: false,
  dirty: false,
};

const file: ImageFacts = {
  kind: 'file',
  sizeBytes: GiB,
  growable: true,
  blockSizeBytes: 512,
  allocatedBytes: GiB,
  freeBytes: GiB,
  readsAsZero: true,
  canDirtyExtents: false,
  readersMax: 8,
  writersMax: 1,
};

interface Changes {
  readonly plan?: Partial<TransferPlan>;
  readonly ticket?: Partial<TicketFacts>;
  readonly image?: Partial<ImageFacts>;
}

function foundOf(changes: Changes): readonly Finding[] {
  return findings({
    plan: { op: 'write', sizeBytes: undefined, format: undefined, ...changes.plan },
    ticket: { ...ticket, ...changes.ticket },
    image: { ...file, ...changes.image },
  });
}

/** What is found besides that which is to be said of every file. */
function severitiesOf(changes: Changes): Readonly<Record<string, string>> {
  const usual = new Set(foundOf({}).map(({ code }) => code));
  return Object.fromEntries(
    foundOf(changes)
      .filter(({ code }) => !usual.has(code))
      .map(({ code, severity }) => [code, severity]),
  );
}

describe('the findings of a preflight', () => {
  test('are no errors and no warnings where all is well', () => {
    assert.deepEqual(
      foundOf({}).map(({ code, severity }) => [code, severity]),
      [
        ['reads_as_zero', 'info'],
        ['block_size', 'info'],
      ],
    );
  });

  test('compare the transfer with the ticket and the ticket with the image', () => {
    const fixed = { growable: false };
    const short = { ...fixed, sizeBytes: MiB };
    assert.deepEqual(severitiesOf({ plan: { sizeBytes: GiB + 1 } }), { size_exceeds_ticket: 'error' });
    assert.deepEqual(severitiesOf({ image: short }), { size_exceeds_image: 'error' });
    assert.deepEqual(severitiesOf({ plan: { sizeBytes: MiB }, image: short }), {
      ticket_exceeds_image: 'warning',
    });
    assert.deepEqual(severitiesOf({ image: { sizeBytes: 0 } }), { image_grows: 'info' });
    assert.deepEqual(severitiesOf({ plan: { sizeBytes: MiB } }), { image_exceeds_size: 'warning' });
  });

  test('say of reading what is past the image, which a growing file does not have either', () => {
    const short = { sizeBytes: MiB };
    const read = { op: 'read' } as const;
    assert.deepEqual(severitiesOf({ plan: read, image: short }), { ticket_exceeds_image: 'warning' });
    assert.deepEqual(severitiesOf({ plan: { ...read, sizeBytes: GiB }, image: short }), {
      size_exceeds_image: 'error',
    });
  });

  test('take missing room for certain only where it cannot do with less', () => {
    const empty = { allocatedBytes: 0, freeBytes: MiB };
    assert.deepEqual(severitiesOf({ image: empty }), { no_space: 'error' });
    assert.deepEqual(severitiesOf({ ticket: { sparse: true }, image: empty }), { no_space: 'warning' });
    assert.deepEqual(severitiesOf({ ticket: { sparse: true }, image: { ...empty, freeBytes: 0 } }), {
      no_space: 'error',
    });
    assert.deepEqual(severitiesOf({ image: { allocatedBytes: GiB - MiB, freeBytes: MiB } }), {});
    assert.deepEqual(severitiesOf({ plan: { op: 'read' }, image: empty }), {});
  });

  test('say when the storage does not tell of its room, unless no more is needed', () => {
    assert.deepEqual(severitiesOf({ image: { freeBytes: undefined } }), {});
    assert.deepEqual(severitiesOf({ image: { allocatedBytes: undefined, freeBytes: undefined } }), {
      free_space_unknown: 'info',
    });
  });

  test('tell data from what was not found out', () => {
    assert.deepEqual(severitiesOf({ image: { readsAsZero: false } }), { holds_data: 'info' });
    assert.deepEqual(severitiesOf({ image: { readsAsZero: undefined } }), { content_unknown: 'info' });
  });

  test('warn of an incremental backup without dirty extents', () => {
    const dirty = { plan: { op: 'read' }, ticket: { dirty: true } } as const;
    assert.deepEqual(severitiesOf(dirty), { dirty_extents_missing: 'warning' });
    assert.deepEqual(severitiesOf({ ...dirty, image: { canDirtyExtents: true } }), {});
  });

  test('name each trouble of the storage alone, as an error with advice', () => {
    const troubles: readonly StorageTrouble[] = ['image_missing', 'storage_silent', 'storage_failed'];
    for (const image of troubles) {
      const plan = { op: 'write', sizeBytes: undefined, format: undefined } as const;
      const [finding, ...others] = findings({ plan, ticket, image });
      assert.deepEqual([finding?.code, finding?.severity], [image, 'error']);
      assert.notEqual(finding?.advice, '');
      assert.deepEqual(others, []);
    }
  });
});
