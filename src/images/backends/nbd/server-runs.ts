/** A run of a server, from its first connection to the last one. */
interface ServerRun {
  incarnation: number;
  /** How many connections there are by each name of its export. */
  readonly names: Map<string, number>;
}

/** What one connection knows of the run of the server that it leads to. */
export class ServerMembership {
  #isMember = true;

  constructor(
    private readonly run: ServerRun,
    private readonly onEnd: (how: 'lost' | 'left') => void,
  ) {}

  /**
   * Another number when the server may have lost what it had taken; undefined while it is reached by several
   * names, as those who use one of them do not hear of what is changed by another.
   */
  get incarnation(): number | undefined {
    return this.run.names.size > 1 ? undefined : this.run.incarnation;
  }

  /** The connection has ended by itself: the server may have, too, and forgotten what was not flushed. */
  lost(): void {
    this.#end('lost');
  }

  /** The connection was closed. Idempotent. */
  leave(): void {
    this.#end('left');
  }

  #end(how: 'lost' | 'left'): void {
    if (!this.#isMember) return;
    this.#isMember = false;
    this.onEnd(how);
  }
}

/**
 * Which connections lead to the same run of an NBD server. It begins anew when nobody is connected, as nobody
 * would notice then that the server is another one.
 */
export class ServerRuns {
  readonly #runs = new Map<string, ServerRun>();
  #incarnations = 0;

  /**
   * @param key the same for connections to one running server; undefined where that cannot be told
   * @param name by which its export was opened
   */
  join(key: string | undefined, name: string): ServerMembership {
    const known = key === undefined ? undefined : this.#runs.get(key);
    const run = known ?? { incarnation: this.#next(), names: new Map<string, number>() };
    if (key !== undefined) this.#runs.set(key, run);
    this.#count(run, name, 1);
    return new ServerMembership(run, (how) => {
      if (how === 'lost') run.incarnation = this.#next();
      this.#count(run, name, -1);
      if (run.names.size === 0 && key !== undefined) this.#runs.delete(key);
    });
  }

  /** When a name comes or goes, what was changed by another one before is not known by this one. */
  #count(run: ServerRun, name: string, change: 1 | -1): void {
    const { size } = run.names;
    const count = (run.names.get(name) ?? 0) + change;
    if (count === 0) run.names.delete(name);
    else run.names.set(name, count);
    if (size > 0 && run.names.size !== size) run.incarnation = this.#next();
  }

  #next(): number {
    this.#incarnations += 1;
    return this.#incarnations;
  }
}
