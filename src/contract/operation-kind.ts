/** What an operation does to the image. A flush and a checksum move no image bytes to or from the client. */
export type OperationKind =
  'read' | 'write' | 'zero' | 'flush' | 'extents' | 'checksum' | 'options' | 'preflight';
