import { readFileSync } from 'node:fs';

/**
 * Names this boot of the host; undefined where it cannot be known. The units hand it on in IMAGEIO_BOOT_ID,
 * because they hide /proc/sys.
 */
export function bootId(environment: NodeJS.ProcessEnv): string | undefined {
  const given = environment['IMAGEIO_BOOT_ID'] ?? read('/proc/sys/kernel/random/boot_id');
  const digits = given?.trim().replaceAll('-', '').toLowerCase() ?? '';
  return /^[0-9a-f]{32}$/.test(digits) ? digits : undefined;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
