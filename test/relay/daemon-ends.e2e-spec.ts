import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { closeByReset } from '../../src/node-internals/socket-descriptor.js';
import { imagePath } from '../support/client.js';
import { certificates } from './relay-certificates.js';
import { RelayUnderTest } from './relay-under-test.js';
import { ScriptedDaemon, type Script } from './scripted-daemon.js';

const { pki, daemon: identity } = await certificates();

// Of a daemon that is waited for. What is noticed by itself is answered for long before this.
const limitSeconds = { silent: 0.2, never: 600 };

type Ending = 'close' | 'reset' | 'silence';

/** What a daemon says, and what the client gets when the daemon ends in each way after it. */
interface Saying {
  readonly bytes: string;
  readonly answers: Readonly<Record<Ending, number>>;
}

const nothingMore = { close: 502, reset: 502, silence: 504 };
const always = (status: number): Saying['answers'] => ({ close: status, reset: status, silence: status });

const sayings: Readonly<Record<string, Saying>> = {
  nothing: { bytes: '', answers: nothingMore },
  'half a status line': { bytes: 'HTTP/1.1 2', answers: nothingMore },
  'half a head': { bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n', answers: nothingMore },
  '100 alone': { bytes: 'HTTP/1.1 100 Continue\r\n\r\n', answers: nothingMore },
  '101 without a protocol': { bytes: 'HTTP/1.1 101 Other\r\n\r\n', answers: always(502) },
  '101 with another protocol': {
    bytes: 'HTTP/1.1 101 Other\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n',
    answers: always(502),
  },
  '101 with a broken header and a body': {
    bytes: 'HTTP/1.1 101 \u0001\r\nContent-Length: 4\r\n\u0004: a\r\n\r\ndata',
    answers: always(502),
  },
  '102 alone': { bytes: 'HTTP/1.1 102 Processing\r\n\r\n', answers: nothingMore },
  '103 alone': { bytes: 'HTTP/1.1 103 Early Hints\r\n\r\n', answers: nothingMore },
  '103 and what is no HTTP': { bytes: 'HTTP/1.1 103 Early Hints\r\n\r\ndata', answers: always(502) },
  '199 alone': { bytes: 'HTTP/1.1 199 Wait\r\n\r\n', answers: nothingMore },
  '200 with a broken header': { bytes: 'HTTP/1.1 200 OK\r\n\u0004: a\r\n\r\ndata', answers: always(502) },
  '204': { bytes: 'HTTP/1.1 204 No Content\r\n\r\n', answers: always(204) },
  '304': { bytes: 'HTTP/1.1 304 Not Modified\r\n\r\n', answers: always(502) },
};

const requests = { GET: undefined, PUT: 'data', PATCH: '{"op":"flush"}' };

/** Says `bytes` and ends. */
function says(bytes: string, pieceBytes: number, ending: Ending): Script {
  return ({ request }) => {
    const { socket } = request;
    const end = (): void => {
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        socket.write(bytes.slice(at, at + pieceBytes), 'latin1');
      }
      if (ending === 'close') socket.end();
      if (ending === 'reset') {
        // After the last byte has left: the reset takes nothing of what was said with it.
        socket.write('', () => {
          closeByReset(socket);
          socket.destroy();
        });
      }
    };
    // An answer before the end of the request is another matter (early-answers.e2e-spec.ts).
    request.once('end', end).resume();
  };
}

describe('a request ends when a daemon says', () => {
  for (const [what, { bytes, answers }] of Object.entries(sayings)) {
    for (const [ending, status] of Object.entries(answers) as [Ending, number][]) {
      test(`${what}, then ${ending}: with ${status}`, async () => {
        await using daemon = await ScriptedDaemon.start(identity);
        const seconds = status === 504 ? limitSeconds.silent : limitSeconds.never;
        await using relay = await RelayUnderTest.start(pki, {
          readTimeoutSeconds: seconds,
          operationTimeoutSeconds: seconds,
        });
        const path = imagePath(await relay.addTicket(daemon.origin));
        const client = relay.client();
        for (const pieceBytes of [Infinity, 1]) {
          daemon.script = says(bytes, pieceBytes, ending);
          for (const [method, body] of Object.entries(requests)) {
            const answer = await client.request(method, path, body === undefined ? {} : { body });
            assert.equal(answer.status, status, `${method}, pieces of ${pieceBytes}: ${answer.text}`);
          }
        }
      });
    }
  }
});
