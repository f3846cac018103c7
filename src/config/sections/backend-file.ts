import { bufferSizeReason } from '../buffer-size.js';
import { string } from '../option.js';
import { defineSection, type SectionValues } from '../section.js';

/** The directories in the text of `allowed_roots`. */
export function listOfRoots(text: string): string[] {
  return text === '' ? [] : text.split(',').map((root) => root.trim());
}

/**
 * An allowed root must be a path without symbolic links, because paths of images are compared with it after
 * all their links were followed.
 */
const resolvedDirectory = /^\/(?!\/)(?!.*\/\/)(?!.*\/\.{1,2}(\/|$))/;

export const backendFileSection = defineSection({
  name: 'backend_file',
  description: 'Images in files and on block devices.',
  options: {
    allowedRoots: string('allowed_roots', {
      default: '',
      check: (text) =>
        listOfRoots(text).every((root) => resolvedDirectory.test(root))
          ? undefined
          : 'expected absolute directories without "." and "..", separated by commas',
      description:
        'Directories, separated by commas, that images must lie below when all symbolic links are ' +
        'followed: with logical volumes list /dev as well, where the links of a storage domain lead. ' +
        'Empty: everywhere, as who may add tickets decides, and images of a host lie in many places. ' +
        'Kernel file systems such as /proc and /sys are refused always.',
    }),
  },
  ignored: { buffer_size: bufferSizeReason },
});

export type BackendFileConfig = SectionValues<typeof backendFileSection>;
