import { bufferSizeReason } from '../buffer-size.js';
import { defineSection } from '../section.js';

/** Known only so that files which have it are told what counts instead. */
export const backendNbdSection = defineSection({
  name: 'backend_nbd',
  description: 'Has no effect.',
  options: {},
  ignored: { buffer_size: bufferSizeReason },
});
