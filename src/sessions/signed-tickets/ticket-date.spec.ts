import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseTicketDate } from './ticket-date.js';

test('reads a date as UTC', () => {
  assert.equal(parseTicketDate('19700101000000'), 0);
  assert.equal(parseTicketDate('20170601000001'), 1_496_275_201);
  assert.equal(parseTicketDate('20240229235959'), Date.UTC(2024, 1, 29, 23, 59, 59) / 1000);
  assert.equal(parseTicketDate('00990101000000'), Date.parse('0099-01-01T00:00:00Z') / 1000);
});

for (const text of [
  '20230229000000',
  '20230230000000',
  '20230431000000',
  '20231301000000',
  '20230001000000',
  '20230100000000',
  '20230101240000',
  '20230101006000',
  '20230101000060',
  '2023010100000',
  '202301010000000',
  '20230101000000\n',
  '+2023010100000',
  '２０２３０１０１００００００',
]) {
  test(`refuses ${JSON.stringify(text)}`, () => {
    assert.equal(parseTicketDate(text), undefined);
  });
}

test('reads every second of the calendar back as it was written', () => {
  const date = fc.date({
    min: new Date('0000-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59Z'),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(date, (moment) => {
      const text = moment.toISOString().replace(/\D/g, '').slice(0, 14);
      assert.equal(parseTicketDate(text), Math.floor(moment.getTime() / 1000));
    }),
  );
});
