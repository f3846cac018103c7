/** A request whose response has ended, however it did. */
export interface EndedRequest {
  readonly listener: string;
  readonly method: string;
  /** The pattern of the route, which has no ids in it; undefined when no route was found or looked for. */
  readonly route: string | undefined;
  /** 0 when the client was gone before it got an answer. */
  readonly status: number;
}

/** Who wants to know what happens at the listeners. */
export interface ListenerObserver {
  requestEnded(request: EndedRequest): void;
  /** Something came that could not be parsed as a request, and was answered with `status`. */
  requestRefused(listener: string, status: number): void;
  handshakeFailed(listener: string): void;
}
