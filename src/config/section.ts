import type { Option, OptionValue } from './option.js';

/**
 * The options of a section by the property that holds their value, e.g. `connectionsMax:
 * integer('max_connections', …)`.
 */
export type OptionTable = Readonly<Record<string, Option<OptionValue>>>;

/** One `[section]` of the INI files. */
export interface Section<Options extends OptionTable = OptionTable> {
  /** The name in INI files. */
  readonly name: string;
  readonly description: string;
  readonly options: Options;
  /**
   * Options that older configuration files have and that change nothing here, each with the reason, a
   * sentence.
   */
  readonly ignored?: Readonly<Record<string, string>>;
}

/** What a section's configuration looks like to the code that uses it. */
export type SectionValues<Source extends Section> = {
  readonly [Property in keyof Source['options']]: Source['options'][Property] extends Option<infer Value>
    ? Value
    : never;
};

/**
 * Keeps the exact option types of a section's table, from which `SectionValues` derives the section's type.
 */
export function defineSection<const Options extends OptionTable>(
  section: Section<Options>,
): Section<Options> {
  return section;
}
