import { configSections, ignoredSections } from './config.js';
import { variableName } from './environment.js';
import type { Option, OptionType, OptionValue } from './option.js';
import type { Role } from './role.js';
import type { Section } from './section.js';

/** What documentation says about one option. */
export interface OptionDescription {
  readonly section: string;
  readonly sectionDescription: string;
  readonly option: string;
  /** `ignored`: accepted with a warning and without effect; `description` says why. */
  readonly type: OptionType | 'ignored';
  readonly description: string;
  /** A running service takes a new value at SIGHUP. */
  readonly reloadable?: boolean;
  /** The environment variable that overrides it. */
  readonly variable: string;
  readonly defaults?: Readonly<Record<Role, OptionValue>>;
  readonly unit?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly choices?: readonly string[];
}

/** Every option that configuration files may have, section by section, in the order of the tables. */
export function describeOptions(): readonly OptionDescription[] {
  return [...Object.values(configSections), ...ignoredSections].flatMap(describeSection);
}

function describeSection(section: Section): OptionDescription[] {
  const place = (option: string) => ({
    section: section.name,
    sectionDescription: section.description,
    option,
    variable: variableName(section.name, option),
  });
  const options = Object.values(section.options).map(
    ({
      name,
      type,
      description,
      reloadable,
      defaults,
      unit,
      minimum,
      maximum,
      choices,
    }: Option<OptionValue>) => ({
      ...place(name),
      type,
      description,
      ...(reloadable ? { reloadable } : {}),
      defaults,
      ...(unit === undefined ? {} : { unit }),
      ...(minimum === undefined ? {} : { minimum }),
      ...(maximum === undefined ? {} : { maximum }),
      ...(choices === undefined ? {} : { choices }),
    }),
  );
  const ignored = Object.entries(section.ignored ?? {}).map(([name, description]) => ({
    ...place(name),
    type: 'ignored' as const,
    description,
  }));
  return [...options, ...ignored];
}
