import { Global, Inject, Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { CLOCK, systemClock } from '../base/clock.js';
import { configSections, type Config } from '../config/config.js';
import { LOGGER, type Logger } from '../log/logger.js';
import { ErrorFilter } from './error.filter.js';

/** The token of one section of the configuration. */
export function section(name: keyof Config): string {
  return `[${name}]`;
}

/** Injects one section of the configuration. */
export const Section = (name: keyof Config): ParameterDecorator => Inject(section(name));

/** The whole configuration, for what is about several sections. */
export const CONFIG = Symbol('CONFIG');

/** What every module of a role may ask for: the configuration, whole and by section, the log and the time. */
@Global()
@Module({})
export class SettingsModule {
  static of(config: Config, logger: Logger): DynamicModule {
    const names = Object.keys(configSections) as (keyof Config)[];
    const sections = names.map((name) => ({ provide: section(name), useValue: config[name] }));
    return {
      module: SettingsModule,
      providers: [
        { provide: CONFIG, useValue: config },
        ...sections,
        { provide: CLOCK, useValue: systemClock },
        { provide: LOGGER, useFactory: () => logger },
        { provide: APP_FILTER, useClass: ErrorFilter },
      ],
      exports: [CONFIG, ...sections.map(({ provide }) => provide), CLOCK, LOGGER],
    };
  }
}
