import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Sections of options, in the names of the INI files (docs/configuration.md). */
export type Configuration = Readonly<Record<string, Readonly<Record<string, string | number | boolean>>>>;

/** Writes `conf.d/50-test.conf` below `confDir`, which is what `-c` takes. */
export async function writeConfiguration(confDir: string, configuration: Configuration): Promise<void> {
  await mkdir(join(confDir, 'conf.d'), { recursive: true });
  const sections = Object.entries(configuration).map(([section, options]) => {
    const lines = Object.entries(options).map(([option, value]) => `${option} = ${String(value)}`);
    return [`[${section}]`, ...lines, ''].join('\n');
  });
  await writeFile(join(confDir, 'conf.d', '50-test.conf'), sections.join('\n'));
}

/** Merges section by section; options of the later ones win. */
export function mergeConfigurations(...configurations: Configuration[]): Configuration {
  const merged: Record<string, Record<string, string | number | boolean>> = {};
  for (const configuration of configurations)
    for (const [section, options] of Object.entries(configuration))
      merged[section] = { ...merged[section], ...options };
  return merged;
}
