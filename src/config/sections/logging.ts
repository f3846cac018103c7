import { oneOf, string } from '../option.js';
import { defineSection, type SectionValues } from '../section.js';

/** The names that the configuration of Python services has for our levels, in [logger_root] level. */
const pythonLevels = {
  trace: 'NOTSET',
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
  fatal: 'CRITICAL',
} as const;

export const loggingSection = defineSection({
  name: 'logging',
  description: 'What is logged, how and where.',
  options: {
    level: oneOf('level', {
      choices: ['trace', 'debug', 'info', 'warn', 'error', 'fatal'],
      default: 'info',
      reloadable: true,
      aliases: { notset: 'trace', warning: 'warn', critical: 'fatal' },
      description:
        'The least severe level that is logged. Unless it is set, [logger_root] level of older files ' +
        'decides: DEBUG, INFO, WARNING, ERROR, CRITICAL or NOTSET.',
    }),
    format: oneOf('format', {
      choices: ['json', 'pretty'],
      default: 'json',
      description: 'json: one JSON object per line, for programs. pretty: one readable line, for people.',
    }),
    file: string('file', {
      default: '',
      description:
        'The file that the log is appended to, opened anew at SIGHUP, as logrotate wants it. Empty: ' +
        'standard error, which is the journal of systemd.',
    }),
  },
});

/** The level as `[logger_root] level` says it. */
export function pythonLevel({ level }: LoggingConfig): string {
  return pythonLevels[level];
}

export type LoggingConfig = SectionValues<typeof loggingSection>;
