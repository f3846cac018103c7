/** A run of a server, from its first connection to the last one. */
interface ServerRun {
  incarnation: number;
  members: number;
}

/** What one connection knows of the run of the server that it leads to. */
export class ServerMembership {
  #isMember = true;

  constructor(
    private readonly run: ServerRun,
    private readonly runs: { readonly next: () => number; readonly left: () => void },
  ) {}

  /** Another number when the server may have lost what it had taken. */
  get incarnation(): number {
    return this.run.incarnation;
  }

  /** The connection has ended by itself: the server may have, too, and forgotten what was not flushed. */
  lost(): void {
    if (!this.#isMember) return;
    this.run.incarnation = this.runs.next();
    this.leave();
  }

  /** The connection was closed. Idempotent. */
  leave(): void {
    if (!this.#isMember) return;
    this.#isMember = false;
    this.run.members -= 1;
    if (this.run.members === 0) this.runs.left();
  }
}

/**
 * Which connections lead to the same run of an NBD server. It begins anew when nobody is connected, as nobody
 * would notice then that the server is another one.
 */
export class ServerRuns {
  readonly #runs = new Map<string, ServerRun>();
  #incarnations = 0;

  /** @param key the same for connections to one running server; undefined where that cannot be told */
  join(key: string | undefined): ServerMembership {
    const run = (key === undefined ? undefined : this.#runs.get(key)) ?? {
      incarnation: this.#next(),
      members: 0,
    };
    run.members += 1;
    if (key !== undefined) this.#runs.set(key, run);
    return new ServerMembership(run, {
      next: () => this.#next(),
      left: () => {
        if (key !== undefined) this.#runs.delete(key);
      },
    });
  }

  #next(): number {
    this.#incarnations += 1;
    return this.#incarnations;
  }
}
