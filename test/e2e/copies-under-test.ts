import assert from 'node:assert/strict';
import { eventually } from '../support/deadline.js';
import type { Answer } from '../support/exchange.js';
import type { DaemonUnderTest, ImageTicket } from './daemon-under-test.js';

/** What a daemon tells of a copy. */
export interface Copy {
  readonly id: number;
  readonly state: string;
  readonly done: number;
  readonly total: number;
  readonly result?: Readonly<Record<'copied_bytes' | 'zeroed_bytes' | 'skipped_bytes', number>>;
  readonly problem?: { readonly status: number; readonly title: string };
}

type WithId = Pick<ImageTicket, 'id'>;

/** The copies of one daemon. */
export class CopiesUnderTest {
  constructor(private readonly fixture: DaemonUnderTest) {}

  ask(source: WithId, target: WithId, options: object = {}): Promise<Answer> {
    const body = JSON.stringify({ source: source.id, target: target.id, ...options });
    return this.fixture.vdsm.request('POST', '/copies', body);
  }

  /** @returns the path of the copy */
  async begin(...request: Parameters<CopiesUnderTest['ask']>): Promise<string> {
    const answer = await this.ask(...request);
    assert.equal(answer.status, 202, answer.text);
    return answer.headers.location ?? '';
  }

  async show(path: string): Promise<Copy> {
    return JSON.parse((await this.fixture.vdsm.request('GET', path)).text) as Copy;
  }

  ended(path: string): Promise<Copy> {
    return eventually(async () => {
      const copy = await this.show(path);
      return copy.state === 'running' ? undefined : copy;
    }, `the end of ${path}`);
  }

  /** Copies, and fails when that does. */
  async copy(...request: Parameters<CopiesUnderTest['ask']>): Promise<Copy> {
    const copy = await this.ended(await this.begin(...request));
    assert.equal(copy.state, 'done', JSON.stringify(copy));
    return copy;
  }
}
