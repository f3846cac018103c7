import type { IncomingMessage } from 'node:http';

/** Where a job is found among what belongs to its image. */
const jobEnd = /\/jobs\/[1-9]\d{0,14}$/;

/**
 * What the client is told beside the body of a daemon's answer that says a job has begun: names and values
 * in turn. Where the job is the client hears by its own name of the image, and where a daemon points to
 * anything else, nothing.
 * @param imagePath as the client knows the image
 */
export function begunJobHeaders({ statusCode, headers }: IncomingMessage, imagePath: string): string[] {
  const { location = '', 'preference-applied': applied } = headers;
  const [job] = jobEnd.exec(location) ?? [];
  if (statusCode !== 202 || job === undefined) return [];
  const begun = ['Location', `${imagePath}${job}`];
  return applied === 'respond-async' ? [...begun, 'Preference-Applied', applied] : begun;
}
