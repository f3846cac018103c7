import type { ServerResponse } from 'node:http';
import { addStandingHeader } from '../../base/standing-headers.js';

/** Whether a request asks for what somebody else has made: an image, or something about it. */
export function isImagesPath(url: string | undefined): boolean {
  return url?.startsWith('/images/') === true;
}

/**
 * Keeps a browser from taking an answer for anything but data. What an image holds was written by others,
 * and a service's origin is where its users' sessions and documentation live: nothing of an image may run
 * there, whatever it looks like.
 */
export function isolateContent(response: ServerResponse): void {
  addStandingHeader(response, 'X-Content-Type-Options', 'nosniff');
  addStandingHeader(response, 'Content-Security-Policy', 'sandbox');
}
