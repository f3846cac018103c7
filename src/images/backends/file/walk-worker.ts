import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';

import { lseekWaiting } from '../../../native/storage-calls.js';
import { ExtentsWalk, type FilePart, positionOfFailure } from './extents-walk.js';

/** What `WalkThreads` asks of this thread, which answers with how many ends it has found. */
export interface WalkRequest {
  readonly fd: number;
  readonly part: FilePart;
}

/**
 * Soon enough for a client that waits for the first extents, or has left, where each look at storage takes
 * long.
 */
const walkMilliseconds = 10;

assert.ok(parentPort !== null, 'this file runs as a worker thread');
const port = parentPort;
/** Memory that both threads have: nothing is made anew, or copied, for a million extents. */
const ends = workerData as Float64Array;

/** Looks until there is no room for more, or it has taken long enough. @returns how many ends there are */
function walkAlong({ fd, part }: WalkRequest): number {
  const walk = new ExtentsWalk(part);
  const startedAt = performance.now();
  let count = 0;
  while (count < ends.length && !walk.isOver()) {
    const answer = lseekWaiting(fd, walk.offsetBytes, walk.whence);
    const end = walk.answered(typeof answer === 'number' ? answer : positionOfFailure(answer.errno));
    if (end === 0) continue;
    ends[count] = end;
    count += 1;
    if (performance.now() - startedAt >= walkMilliseconds) break;
  }
  return count;
}

port.on('message', (request: WalkRequest) => {
  port.postMessage(walkAlong(request));
});
