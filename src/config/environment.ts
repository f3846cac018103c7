import type { Setting } from './setting.js';

/**
 * The overrides in the environment: `IMAGEIO_<SECTION>__<OPTION>`, e.g. `IMAGEIO_REMOTE__PORT=0`. Other
 * variables that begin with `IMAGEIO_` are left alone: Kubernetes makes some for a service of that name.
 */
export function settingsOfEnvironment(environment: Readonly<Record<string, string | undefined>>): Setting[] {
  return Object.entries(environment).flatMap(([name, value]) => {
    const [, section, option] = /^IMAGEIO_([A-Z0-9_]+?)__([A-Z0-9_]+)$/.exec(name) ?? [];
    if (section === undefined || option === undefined || value === undefined) return [];
    return [{ section: section.toLowerCase(), option: option.toLowerCase(), value, origin: name }];
  });
}

/** The variable that overrides an option. */
export function variableName(section: string, option: string): string {
  return `IMAGEIO_${section}__${option}`.toUpperCase();
}
