import { bufferSize } from '../buffer-size.js';
import { defineSection, type SectionValues } from '../section.js';

export const backendNbdSection = defineSection({
  name: 'backend_nbd',
  description: 'Images served by an NBD server.',
  options: { bufferBytes: bufferSize('an NBD export') },
});

export type BackendNbdConfig = SectionValues<typeof backendNbdSection>;
