/**
 * What an operation does to the image. A flush and a checksum move no image bytes to or from the client, and
 * what is asked of jobs does nothing to the image at all.
 */
export type OperationKind =
  | 'read'
  | 'write'
  | 'zero'
  | 'flush'
  | 'extents'
  | 'checksum'
  | 'options'
  | 'preflight'
  | 'jobs'
  | 'events'
  | 'ranges';
