import { defineSection } from '../section.js';

/**
 * The section has no effect. It is known only so that a warning can say why: there is no profiler to
 * configure.
 */
export const profileSection = defineSection({
  name: 'profile',
  description: 'Has no effect.',
  options: {},
  ignored: { filename: 'There is no built-in profiler; use those of Node.js.' },
});
