import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
} from 'node:fs';
import { symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { programPath } from '../support/requirements.js';

export type PackageFormat = 'rpm' | 'deb';

/** What the scripts of packages run. */
const programs = [
  ...['sh', 'install', 'sed', 'grep', 'mkdir', 'rm', 'rmdir', 'readlink', 'dirname', 'getent', 'env'],
  ...['systemctl', 'systemd-sysusers', 'useradd'],
];

/** Accounts of a virtualization host, by their fixed ids. */
const accounts = {
  users: ['root:x:0:0::/root:/bin/sh', 'vdsm:x:36:36::/:/bin/sh'],
  groups: ['kvm:x:36:', 'qemu:x:107:'],
};

/** The tool of each format. */
export const packageTools: Readonly<Record<PackageFormat, readonly string[]>> = {
  rpm: ['rpm', 'rpmbuild'],
  deb: ['dpkg', 'dpkg-deb'],
};

/** A folder where packages are installed as if it were `/`: with a database, accounts and a few programs. */
export class ThrowAwayRoot {
  constructor(
    readonly path: string,
    private readonly format: PackageFormat,
  ) {
    for (const folder of [
      'usr/bin',
      'usr/sbin',
      'usr/lib',
      'usr/lib64',
      'etc',
      'run',
      'tmp',
      'root',
      'proc',
      'dev',
    ])
      mkdirSync(this.file(folder), { recursive: true });
    mkdirSync(this.file('var/log'), { recursive: true });
    // dpkg removes a folder with nothing in it together with the last package that has it.
    writeFileSync(this.file('var/log/lastlog'), '');
    for (const folder of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${folder}`, this.file(folder));
    for (const program of programs) this.#bring(program);
    writeFileSync(this.file('etc/passwd'), `${accounts.users.join('\n')}\n`);
    writeFileSync(this.file('etc/group'), `root:x:0:\n${accounts.groups.join('\n')}\n`);
    if (format === 'deb') {
      mkdirSync(this.file('var/lib/dpkg/info'), { recursive: true });
      mkdirSync(this.file('var/lib/dpkg/updates'));
      writeFileSync(this.file('var/lib/dpkg/status'), '');
    }
  }

  file(path: string): string {
    return join(this.path, path);
  }

  /** Installs packages, or upgrades to them. @returns what the tool said @throws with it */
  install(...files: readonly string[]): string {
    return this.format === 'rpm'
      ? this.#rpm('-U', '--replacepkgs', '--nodeps', ...files)
      : this.#dpkg('--force-depends', '-i', ...files);
  }

  /** Goes back to an older release of a package. @returns what the tool said @throws with it */
  downgrade(file: string): string {
    return this.format === 'rpm' ? this.#rpm('-U', '--oldpackage', '--nodeps', file) : this.install(file);
  }

  remove(...names: readonly string[]): void {
    if (this.format === 'rpm') this.#rpm('-e', '--nodeps', ...names);
    else this.#dpkg('--force-depends', '--purge', ...names);
  }

  /** What the database says of files of a package that differ from what was installed. */
  changedFiles(name: string): string {
    return this.format === 'rpm'
      ? this.#output('rpm', [...this.#rpmPlace(), '-V', '--nodeps', name])
      : this.#output('dpkg', [`--root=${this.path}`, '--verify', name]);
  }

  /**
   * Type, mode, owner and content of every file below the root, but databases and what only `changedFiles` is
   * to look at.
   */
  files(): Map<string, string> {
    const found = new Map<string, string>();
    const walk = (folder: string): void => {
      for (const name of readdirSync(this.file(folder))) {
        const path = join(folder, name);
        if (['var/lib', 'proc', 'dev', 'usr/lib/ovirt-imageio-ts'].includes(path)) continue;
        const { mode, uid, gid } = lstatSync(this.file(path));
        const kind = mode & 0o170000;
        const content =
          kind === 0o100000
            ? createHash('sha1')
                .update(readFileSync(this.file(path)))
                .digest('hex')
            : kind === 0o120000
              ? readlinkSync(this.file(path))
              : '';
        found.set(path, `${mode.toString(8)} ${uid}:${gid} ${content}`);
        if (kind === 0o040000) walk(path);
      }
    };
    walk('');
    return found;
  }

  /** Runs a program of the root as its root. */
  run(command: string, ...args: readonly string[]): string {
    return execFileSync('chroot', [this.path, command, ...args], {
      encoding: 'utf8',
      env: { PATH: '/usr/sbin:/usr/bin' },
    });
  }

  /** A program of this machine with the libraries that it needs. */
  #bring(program: string): void {
    const source = programPath(program);
    if (source === undefined) throw new Error(`${program} is missing`);
    copyFileSync(source, this.file(`usr/${source.split('/').at(-2) ?? 'bin'}/${program}`));
    this.bringLibraries(source);
  }

  bringLibraries(program: string): void {
    const { stdout } = spawnSync('ldd', [program], { encoding: 'utf8' });
    for (const [, library = ''] of stdout.matchAll(/(?:^\s*|=> )(\/\S+)/gm)) {
      const place = this.file(library.replace(/^\/lib/, '/usr/lib'));
      if (existsSync(place)) continue;
      mkdirSync(dirname(place), { recursive: true });
      copyFileSync(library, place);
    }
  }

  #rpmPlace(): string[] {
    return ['--root', this.path, '--dbpath', '/var/lib/rpm'];
  }

  #rpm(...args: readonly string[]): string {
    return this.#output('rpm', [...this.#rpmPlace(), ...args], true);
  }

  #dpkg(...args: readonly string[]): string {
    return this.#output('dpkg', [`--root=${this.path}`, '--force-unsafe-io', ...args], true);
  }

  #output(command: string, args: readonly string[], mustSucceed = false): string {
    const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
    if (error !== undefined) throw error;
    if (mustSucceed && status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  }
}
