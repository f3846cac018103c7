import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program } from '../support/program.js';

/** A system that programs run in: a root with accounts and units. */
interface Place {
  readonly path: string;
  file(path: string): string;
}

/**
 * Namespaces of mounts and of the network, where the ports of the configuration are free, and roots have
 * /proc and /dev. They end with it.
 */
export class OwnNetwork implements AsyncDisposable {
  private constructor(private readonly holder: Program) {}

  /** @param mounts commands of the shell that mount something */
  static async create(mounts: readonly string[]): Promise<OwnNetwork> {
    const commands = ['set -e', 'ip link set lo up', ...mounts, 'echo ready', 'exec sleep infinity'];
    const holder = await Program.start('unshare', ['--mount', '--net', 'bash', '-c', commands.join('\n')]);
    await holder.waitForLine((line) => (line === 'ready' ? line : undefined), 'the mounts are there');
    return new OwnNetwork(holder);
  }

  /** Before a command that shall run in it. */
  get prefix(): readonly string[] {
    return ['nsenter', `--target=${this.holder.pid}`, '--mount', '--net'];
  }

  run(...args: readonly string[]): string {
    const [command = '', ...rest] = [...this.prefix, ...args];
    return execFileSync(command, rest, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.holder.kill();
  }
}

/**
 * Runs the service of an installed unit as systemd does: its lines, as its users, with its environment, in
 * the place where it is installed. What only systemd can do, the sandbox and its sockets, is left out.
 */
export class InstalledUnit implements AsyncDisposable {
  private constructor(
    readonly program: Program,
    private readonly network: OwnNetwork,
    private readonly place: Place,
    private readonly unit: UnitFile,
  ) {}

  static async start(network: OwnNetwork, place: Place, name: string): Promise<InstalledUnit> {
    const unit = new UnitFile(place, name);
    const runtime = place.file(`run/${unit.last('RuntimeDirectory')}`);
    mkdirSync(runtime, { recursive: true });
    const { user, group } = idsOf(place, unit.last('User'));
    execFileSync('chown', [`${user}:${group}`, runtime]);
    for (const line of unit.all('ExecStartPre')) network.run(...commandOf(place, unit, line));
    const [command = '', ...args] = [...network.prefix, ...commandOf(place, unit, unit.last('ExecStart'))];
    const program = await Program.start(command, args);
    const service = new InstalledUnit(program, network, place, unit);
    try {
      await service.waitFor('Ready for requests');
    } catch (error) {
      await program.kill();
      throw error;
    }
    return service;
  }

  get pid(): number {
    return this.program.pid;
  }

  async waitFor(message: string): Promise<void> {
    await this.program.waitForLine((line) => (line.includes(message) ? line : undefined), message);
  }

  reload(): void {
    for (const line of this.unit.all('ExecReload'))
      this.network.run(...commandOf(this.place, this.unit, line.replace('$MAINPID', String(this.pid))));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.program.hasExited) await this.program.kill();
  }
}

/** A unit with its drop-ins, from where the switch puts them. */
class UnitFile {
  readonly #settings: (readonly [name: string, value: string])[] = [];

  constructor(place: Place, name: string) {
    const file = place.file(`etc/systemd/system/${name}`);
    const dropIns = existsSync(`${file}.d`)
      ? readdirSync(`${file}.d`)
          .sort()
          .map((dropIn) => join(`${file}.d`, dropIn))
      : [];
    for (const path of [file, ...dropIns])
      for (const [, setting = '', value = ''] of readFileSync(path, 'utf8').matchAll(/^(\w+)=(.*)$/gm))
        this.#settings.push([setting, value]);
  }

  /** An empty value takes back what is before it. */
  all(name: string): string[] {
    const values = this.#settings.filter(([setting]) => setting === name).map(([, value]) => value);
    return values.slice(values.lastIndexOf('') + 1);
  }

  last(name: string): string {
    const value = this.all(name).at(-1);
    if (value === undefined) throw new Error(`The unit has no ${name}`);
    return value;
  }
}

/** A line of a unit as its user; with `+`, as root. */
function commandOf(place: Place, unit: UnitFile, line: string): string[] {
  const isRoot = line.startsWith('+');
  const { user, group, groups } = idsOf(place, isRoot ? 'root' : unit.last('User'));
  return [
    ...['setpriv', '--no-new-privs', 'chroot', `--userspec=${user}:${group}`, `--groups=${groups.join(',')}`],
    ...[place.path, '/usr/bin/env', '-i', 'PATH=/usr/sbin:/usr/bin', ...unit.all('Environment')],
    ...line.replace(/^\+/, '').split(' '),
  ];
}

/** The ids of a user of a place, with those of its groups. */
export function idsOf(place: Place, name: string): { user: number; group: number; groups: number[] } {
  const lines = (file: string): string[][] =>
    readFileSync(place.file(file), 'utf8')
      .split('\n')
      .map((line) => line.split(':'));
  const [, , user, group] = lines('etc/passwd').find(([entry]) => entry === name) ?? [];
  if (user === undefined || group === undefined) throw new Error(`There is no user ${name}`);
  const others = lines('etc/group').filter(([, , , members = '']) => members.split(',').includes(name));
  return {
    user: Number(user),
    group: Number(group),
    groups: [Number(group), ...others.map(([, , id]) => Number(id))],
  };
}
