import { bufferSize } from '../buffer-size.js';
import { defineSection, type SectionValues } from '../section.js';

export const backendFileSection = defineSection({
  name: 'backend_file',
  description: 'Images in files and on block devices.',
  options: { bufferBytes: bufferSize('a file or block device') },
});

export type BackendFileConfig = SectionValues<typeof backendFileSection>;
