// Writes the manual page of the client, of the same definitions as its help, where package.json names it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './console.mjs';

const { imageio } = await import(join(projectRoot, 'dist', 'client', 'program.js'));
const { manualPage } = await import(join(projectRoot, 'dist', 'client', 'manual.js'));
writeFileSync(join(projectRoot, 'dist', 'client', 'imageio.1'), manualPage(imageio()));
