import type { RawAnswer } from '../e2e/raw-answers.js';
import type { Address } from '../support/address.js';
import { within } from '../support/deadline.js';
import type { Service } from '../support/processes.js';
import { RawSocket } from '../support/raw-socket.js';
import { bytesOf, onlyAnswer, type Call } from './call.js';

/** A service that soon loses patience with a request body that stops arriving. */
export const impatient = { limits: { unauthorised_silence_sec: 3, headers_timeout_sec: 3 } };

/** Some long time: the service must not give up on the connections that the tests are going to use. */
export const patientGrace = {
  limits: { grace_sec: 600, unauthorised_silence_sec: 600, unauthorised_life_sec: 600 },
};

/**
 * A service that has been asked to stop while a request was running on each of some connections. What comes
 * next on such a connection gets 503.
 */
export class StoppingService {
  private constructor(
    private readonly service: Service,
    private readonly connections: RawSocket[],
    private readonly rest: string,
  ) {}

  /**
   * @param running a call with a body, which ends with 200 once the whole of that is there
   * @param count how many calls are going to be answered
   */
  static async begin(
    service: Service,
    address: Address,
    running: Call,
    count: number,
  ): Promise<StoppingService> {
    const bytes = bytesOf({ ...running, headers: ['Expect: 100-continue', ...(running.headers ?? [])] });
    const bodyAt = bytes.indexOf('\r\n\r\n') + 4;
    const connections: RawSocket[] = [];
    // The service ends with its last request, so one more than is going to be answered keeps it from that.
    for (let index = 0; index <= count; index++) {
      const socket = await RawSocket.connect(address);
      connections.push(socket);
      await socket.send(bytes.slice(0, bodyAt));
      // Says that the service has begun with the request.
      await socket.readUntil('100 Continue\r\n\r\n');
    }
    service.program.signal('SIGTERM');
    await service.program.waitForLine(
      (line) => (line.includes('"Stopping"') ? true : undefined),
      `the ${service.role} to begin to stop`,
    );
    return new StoppingService(service, connections, bytes.slice(bodyAt));
  }

  /** Lets the request that runs on one connection end, and sends another one there. */
  async answerTo(call: Call): Promise<RawAnswer> {
    const socket = this.connections.pop();
    if (socket === undefined || this.connections.length === 0)
      throw new Error('There are more calls than connections');
    try {
      await socket.send(this.rest);
      await socket.readUntil('HTTP/1.1 200 OK');
      await socket.send(bytesOf(call));
      const received = await socket.readUntilClose();
      return onlyAnswer(received.subarray(received.lastIndexOf('HTTP/1.1 ')), call);
    } finally {
      socket.close();
    }
  }

  /** Lets the requests that still run end, and with them the service. */
  async end(): Promise<void> {
    for (const socket of this.connections) {
      await socket.send(this.rest);
      await socket.readUntil('HTTP/1.1 200 OK');
      socket.close();
    }
    await within(this.service.program.exited, `the ${this.service.role} to end`);
  }
}
