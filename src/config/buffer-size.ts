import { integer, type Option } from './option.js';
import { MiB } from '../base/units.js';

/** `buffer_size` of a backend; direct I/O wants whole blocks, and no block is larger than 4096 bytes. */
export function bufferSize(storage: string): Option<number> {
  return integer('buffer_size', {
    default: 8 * MiB,
    minimum: 4096,
    maximum: 128 * MiB,
    multipleOf: 4096,
    unit: 'bytes',
    description: `The most bytes of one read or write of ${storage}. The smaller of this and [limits] buffer_bytes is used.`,
  });
}
