import { bufferSizeReason } from '../buffer-size.js';
import { defineSection } from '../section.js';

/** The section has no effect. It is known only so that a warning can say which option counts instead. */
export const backendNbdSection = defineSection({
  name: 'backend_nbd',
  description: 'Has no effect.',
  options: {},
  ignored: { buffer_size: bufferSizeReason },
});
