import { oneOf } from '../option.js';
import { defineSection, type SectionValues } from '../section.js';

export const loggingSection = defineSection({
  name: 'logging',
  description: 'What is logged, and how; the log goes to standard error.',
  options: {
    level: oneOf('level', {
      choices: ['trace', 'debug', 'info', 'warn', 'error', 'fatal'],
      default: 'info',
      // The names that the configuration of Python services has, in [logger_root] level.
      aliases: { notset: 'trace', warning: 'warn', critical: 'fatal' },
      description:
        'The least severe level that is logged. Unless it is set, [logger_root] level of older files decides: ' +
        'DEBUG, INFO, WARNING, ERROR, CRITICAL or NOTSET.',
    }),
    format: oneOf('format', {
      choices: ['json', 'pretty'],
      default: 'json',
      description: 'json: one JSON object per line, for programs. pretty: one readable line, for people.',
    }),
  },
});

export type LoggingConfig = SectionValues<typeof loggingSection>;
