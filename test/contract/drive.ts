import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RawAnswer } from '../e2e/raw-answers.js';
import { Contract, type ContractName, type Operation } from './contract.js';

/** What makes an operation answer with one status. */
export type Drive = (operation: Operation) => Promise<RawAnswer>;

/** By operation and status. */
export type Drives = Readonly<Record<string, Readonly<Record<number, Drive>>>>;

/**
 * One test for each status of each operation of a contract: the running service answers with it, and
 * in the form that is documented.
 * @param skipReason why a status cannot be brought about on this machine
 */
export function testContract(
  name: ContractName,
  drives: Drives,
  skipReason: (status: number) => string | false = () => false,
): void {
  const contract = new Contract(name);
  for (const operation of contract.operations) {
    for (const status of operation.statuses) {
      test(`${operation.id} answers ${status} as documented`, { skip: skipReason(status) }, async () => {
        const drive = drives[operation.id]?.[status];
        assert.ok(drive, 'this test does not know how to make the service answer so');
        const answer = await drive(operation);
        assert.equal(answer.status, status, answer.body);
        contract.check(operation, answer);
      });
    }
  }
  test('leaves out no answer that the tests know of', () => {
    const documented = Object.fromEntries(contract.operations.map(({ id, statuses }) => [id, statuses]));
    for (const [id, statuses] of Object.entries(drives))
      assert.deepEqual(Object.keys(statuses).map(Number), [...(documented[id] ?? [])].sort(), id);
  });
}
