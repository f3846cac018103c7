import { defineSection } from '../section.js';

/** Known only so that files which have it are told why: there is no profiler to configure. */
export const profileSection = defineSection({
  name: 'profile',
  description: 'Has no effect.',
  options: {},
  ignored: { filename: 'There is no built-in profiler; use those of Node.js.' },
});
