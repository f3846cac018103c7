import { execFileSync } from 'node:child_process';
import fs from 'node:fs';

/**
 * Why the tests of this folder can't attach devices and mount file systems here, or nothing when they can.
 */
export function mountingRefusal(folder: string): string | undefined {
  if (process.getuid?.() !== 0) {
    return 'attaching loop devices and mounting needs root';
  }
  const backing = `${folder}/probe`;
  try {
    fs.writeFileSync(backing, Buffer.alloc(65_536));
    detachLoopDevice(attachLoopDevice(backing, 512));
    return undefined;
  } catch (error: unknown) {
    return `loop devices don't work here: ${String(error)}`;
  } finally {
    fs.rmSync(backing, { force: true });
  }
}

/** @returns the path of a block device with the content of the file `backing` */
export function attachLoopDevice(backing: string, sectorBytes: 512 | 4096): string {
  return run('losetup', '--find', '--show', '--sector-size', String(sectorBytes), backing).trim();
}

export function detachLoopDevice(device: string): void {
  run('losetup', '--detach', device);
}

export function mount(type: string, source: string, folder: string, ...options: string[]): void {
  fs.mkdirSync(folder);
  run('mount', '-t', type, ...options, source, folder);
}

export function unmount(folder: string): void {
  run('umount', folder);
}

export function run(command: string, ...parameters: string[]): string {
  return execFileSync(command, parameters, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
