import type { LoggerService } from '@nestjs/common';
import type { Logger } from '../log/logger.js';

/** Nest's own messages: its start-up chatter is for debugging, its warnings and errors are for operators. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown): void {
    this.logger.trace(String(message));
  }

  debug(message: unknown): void {
    this.logger.trace(String(message));
  }

  verbose(message: unknown): void {
    this.logger.trace(String(message));
  }

  warn(message: unknown): void {
    this.logger.warn(String(message));
  }

  /** What makes a start fail is thrown as well, and told by whoever asked for the start. */
  error(message: unknown, ...details: unknown[]): void {
    // A bundler may have put something before the name.
    const isThrown = /ExceptionHandler$/.test(String(details.at(-1)));
    this.logger[isThrown ? 'trace' : 'error'](String(message));
  }
}
