import type { ExistingProvider, FactoryProvider, ValueProvider } from '@nestjs/common';

/** How something is provided that a module asks its role for; the module gives it its token. */
export type Recipe<T> =
  | Omit<FactoryProvider<T>, 'provide'>
  | Omit<ValueProvider<T>, 'provide'>
  | Omit<ExistingProvider<T>, 'provide'>;
