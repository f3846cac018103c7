import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { wrongValues, type JsonType } from '../../../test/support/wrong-types.js';
import { toDto } from '../../framework/validation.js';
import { TicketDto, TicketExtensionDto } from './ticket.dto.js';

const ticketTypes: Readonly<Record<keyof TicketDto, JsonType>> = {
  uuid: 'string',
  size: 'integer',
  ops: 'list',
  timeout: 'integer',
  url: 'string',
  transfer_id: 'string',
  inactivity_timeout: 'integer',
  filename: 'string',
  sparse: 'boolean',
  dirty: 'boolean',
};
const ticket = { uuid: 'id', size: 1, ops: ['read'], timeout: 300, url: 'file:///image' };

/** The refusal of `sent`; undefined when it is taken. */
function refusal(type: new () => object, sent: Record<string, unknown>): string | undefined {
  try {
    toDto(type, sent, 'ticket');
    return undefined;
  } catch (error: unknown) {
    assert.ok(error instanceof Error);
    return error.message;
  }
}

describe('a ticket', () => {
  for (const [key, type] of Object.entries(ticketTypes)) {
    for (const { json, value, reason } of wrongValues(type)) {
      test(`is told the type of ${key} first when it is ${json.slice(0, 40)}`, () => {
        assert.equal(refusal(TicketDto, { ...ticket, [key]: value }), `Invalid ticket: ${key} ${reason}`);
      });
    }
  }

  for (const key of Object.keys(ticket)) {
    test(`is told that ${key} is required`, () => {
      assert.equal(refusal(TicketDto, { ...ticket, [key]: undefined }), `Invalid ticket: ${key} is required`);
    });
  }

  for (const [key, value, reason] of [
    ['size', -1, 'must be at least 0'],
    ['size', 2n ** 64n + 1n, 'must be at most 18446744073709551616'],
    ['timeout', -1, 'must be at least 0'],
    ['timeout', 2 ** 31, 'must be at most 2147483647'],
    ['timeout', 2n ** 60n, 'must be at most 2147483647'],
    ['inactivity_timeout', -1, 'must be at least 0'],
    ['uuid', '', 'must not be empty'],
    ['url', '', 'must not be empty'],
    ['transfer_id', '', 'must not be empty'],
    ['ops', [], 'must not be empty'],
    ['ops', ['delete'], 'must be a list of "read" and "write"'],
    ['ops', ['read', 1], 'must be a list of "read" and "write"'],
    ['ops', [['read']], 'must be a list of "read" and "write"'],
  ] as const) {
    test(`is told that ${key} ${reason} when it is ${String(value)}`, () => {
      assert.equal(refusal(TicketDto, { ...ticket, [key]: value }), `Invalid ticket: ${key} ${reason}`);
    });
  }

  for (const size of [0, 1, 2n ** 53n + 1n, 2n ** 64n]) {
    test(`may have ${size} bytes`, () => {
      assert.equal(refusal(TicketDto, { ...ticket, size }), undefined);
    });
  }
});

describe('the extension of a ticket', () => {
  for (const { json, value, reason } of wrongValues('integer')) {
    test(`is told the type of timeout first when it is ${json.slice(0, 40)}`, () => {
      assert.equal(refusal(TicketExtensionDto, { timeout: value }), `Invalid ticket: timeout ${reason}`);
    });
  }
});
