import { configSections, ignoredSections } from './config.js';
import type { Section } from './section.js';
import type { Setting } from './setting.js';

const knownSections: ReadonlyMap<string, Section> = new Map(
  [...Object.values(configSections), ...ignoredSections].map((section: Section) => [section.name, section]),
);

/** What says where Python's log goes: to standard error, if to it alone. */
const pythonHandlers = /^(handlers|handler_.*)$/;

/** Sections of Python's logging configuration, which existing files have beside ours. */
const pythonLogging = /^(loggers|handlers|formatters|(logger|handler|formatter)_.*)$/;

/**
 * One warning for each section and each option that means nothing here: a typing error should not go
 * unnoticed. One for each option of older files that has no effect, with the reason: who set it should know
 * what counts instead. One for everything that says where Python's log goes, because the log is not in the
 * file that it names.
 */
export function unknownSettings(
  sections: readonly { readonly name: string; readonly origin: string }[],
  settings: readonly Setting[],
): string[] {
  const warnings = new Map<string, string>();
  const warnOnce = (subject: string, origin: string, reason?: string) => {
    const why = reason === undefined ? '' : `: ${reason}`;
    if (!warnings.has(subject)) warnings.set(subject, `${origin}: ${subject} is ignored${why}`);
  };
  for (const { name, origin } of sections) {
    if (!isKnownSection(name)) warnOnce(`unknown section [${name}]`, origin);
  }
  const handlers = settings.filter(isPythonHandler);
  const [first] = handlers;
  if (first !== undefined) {
    const ignored = new Set(handlers.map(({ section, option }) => `[${section}] ${option}`));
    const verb = ignored.size === 1 ? 'is' : 'are';
    const where = 'the log goes to standard error, which systemd keeps in the journal';
    warnings.set('handlers', `${first.origin}: ${[...ignored].join(', ')} ${verb} ignored: ${where}`);
  }
  for (const { section, option, origin } of settings) {
    const reason = ignoredReason(section, option);
    if (!isKnownSection(section)) warnOnce(`unknown section [${section}]`, origin);
    else if (reason !== undefined) warnOnce(`[${section}] ${option}`, origin, reason);
    else if (!isKnownOption(section, option)) warnOnce(`unknown option [${section}] ${option}`, origin);
  }
  return [...warnings.values()];
}

function isPythonHandler({ section, option, value }: Setting): boolean {
  if (value === 'stderr') return false;
  return pythonHandlers.test(section) || (section === 'logger_root' && option === 'handlers');
}

function isKnownSection(name: string): boolean {
  return knownSections.has(name) || pythonLogging.test(name);
}

/** Why an option that older files have means nothing here; undefined for all others. */
function ignoredReason(section: string, option: string): string | undefined {
  const ignored = knownSections.get(section)?.ignored ?? {};
  return Object.hasOwn(ignored, option) ? ignored[option] : undefined;
}

function isKnownOption(sectionName: string, optionName: string): boolean {
  const section = knownSections.get(sectionName);
  if (section === undefined) return true;
  return Object.values(section.options).some((option) => option.name === optionName);
}
