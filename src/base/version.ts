import { createRequire } from 'node:module';

/** The version in package.json, which the package's own name finds wherever the compiled files are. */
export const { version } = createRequire(import.meta.url)('ovirt-imageio/package.json') as {
  readonly version: string;
};
