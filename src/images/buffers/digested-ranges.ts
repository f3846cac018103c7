/**
 * The buffers of downloads whose digest goes ahead of them and which are longer than other buffers: each has
 * room for all of such a range, so that nobody holds one buffer for the sake of another.
 */
export const DIGESTED_RANGES = Symbol('DIGESTED_RANGES');
