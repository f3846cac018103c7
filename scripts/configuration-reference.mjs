// npm run docs:configuration: writes docs/configuration.md from the options that the built service has.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configurationReference } from '../dist/config/options-table.js';
import { projectRoot } from './console.mjs';

writeFileSync(join(projectRoot, 'docs', 'configuration.md'), configurationReference());
