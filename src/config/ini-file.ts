import { ConfigError } from './config-error.js';
import type { Setting } from './setting.js';

export interface IniContent {
  /** Every section header, also of sections without options, in order. */
  readonly sections: readonly { readonly name: string; readonly origin: string }[];
  /** Every option in order; when one is there twice, the later counts. */
  readonly settings: readonly Setting[];
}

/**
 * Reads the INI dialect of Python's configparser, which existing configuration files are written for: `#` and
 * `;` begin comment lines (not comments after a value), `key = value` or `key: value`, keys in any case, and
 * lines indented deeper than their key continue its value. Nothing is interpolated.
 *
 * @param file its name in errors and in each setting's origin
 * @throws ConfigError naming file and line, never quoting the line: it may hold a secret
 */
export function parseIni(text: string, file: string): IniContent {
  const sections: { name: string; origin: string }[] = [];
  const settings: { section: string; option: string; value: string; origin: string }[] = [];
  let section: string | undefined;
  let last: { setting: { value: string }; indent: number } | undefined;

  text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/)
    .forEach((line, index) => {
      const origin = `${file}:${index + 1}`;
      const content = line.trim();
      if (content === '' || content.startsWith('#') || content.startsWith(';')) return;

      const indent = line.length - line.trimStart().length;
      if (last !== undefined && indent > last.indent) {
        last.setting.value += `\n${content}`;
        return;
      }
      const header = /^\[([^\]]+)\]/.exec(content)?.[1];
      if (header !== undefined) {
        section = header;
        last = undefined;
        sections.push({ name: section, origin });
        return;
      }
      const delimiter = content.search(/[=:]/);
      const option = content.slice(0, Math.max(delimiter, 0)).trim().toLowerCase();
      if (option === '') {
        throw new ConfigError([{ origin, reason: 'expected [section], option = value, or a comment' }]);
      }
      if (section === undefined) {
        throw new ConfigError([{ origin, reason: 'expected a [section] before the first option' }]);
      }
      const setting = { section, option, value: content.slice(delimiter + 1).trim(), origin };
      settings.push(setting);
      last = { setting, indent };
    });

  return { sections, settings };
}
