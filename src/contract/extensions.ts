/**
 * What the service can do beyond the features that clients of the images API know, as OPTIONS names it in
 * `extensions` (docs/protocol.md, "Capabilities"). `features` itself never gets more: clients compare it
 * with the set that they know. Each word has its section in docs/transfers.md. A proxy relays all of these,
 * and announces those that the daemon announces too.
 */
export const extensions: readonly string[] = [
  // GET /images/{id}/ranges
  'ranges',
  // Upload-Parallel
  'upload-parallel',
  // Content-Digest of a PUT
  'content-digest',
  // Want-Content-Digest of a GET
  'want-content-digest',
  'digests',
  // GET /images/{id}/extents?start=&length=&limit=
  'extents-pages',
  // GET /images/{id}/events
  'events',
  // GET /images/{id}/preflight
  'preflight',
  // Prefer: respond-async, and /images/{id}/jobs
  'jobs',
  // GET /images/{id}/receipt, where the service has a key to sign with
  'receipt',
];
