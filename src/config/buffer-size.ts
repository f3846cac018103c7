/**
 * Why `buffer_size` of a backend has no effect. Buffers are shared by all images, whatever storage they are
 * on.
 */
export const bufferSizeReason =
  'The most bytes of one read or write are those of a buffer, which [limits] buffer_bytes says for all ' +
  'images.';
