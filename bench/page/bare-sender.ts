import { MiB } from '../../src/base/units.js';
import type { PlainBrowser } from './plain-browser.js';

export interface BareUpload {
  /** On this host. */
  readonly file: string;
  /** `/images/` and the ticket. */
  readonly path: string;
  readonly signedTicket: string;
  /** What `fetch` is given: bytes that were read before, or a part of the file as it is. */
  readonly bodies: 'bytes' | 'blobs';
}

/** As many as the page has at most. */
const workers = 4;
const partBytes = 4 * MiB;

/**
 * Uploads with `fetch` and nothing around it: no zeroes are looked for, nothing is hashed, retried or
 * remembered. So fast is the browser itself.
 * @param browser at a page of the proxy
 * @returns how many seconds it took, with the flush
 */
export async function sendBarely(
  browser: PlainBrowser,
  { file, path, signedTicket, bodies }: BareUpload,
): Promise<number> {
  await browser.evaluate(
    "document.body.append(Object.assign(document.createElement('input'), { type: 'file', id: 'bare' }))",
  );
  await browser.chooseFile('#bare', file);
  const body = bodies === 'blobs' ? 'part' : 'await part.arrayBuffer()';
  const seconds = await browser.evaluate(`(async () => {
    const [file] = document.getElementById('bare').files;
    const path = ${JSON.stringify(path)};
    const common = { Authorization: ${JSON.stringify(signedTicket)} };
    const ask = async (method, query, headers, body) => {
      const answer = await fetch(path + query, { method, body, headers: { ...common, ...headers } });
      if (!answer.ok) throw new Error(await answer.text());
      await answer.text();
    };
    let next = 0;
    const work = async () => {
      while (next < file.size) {
        const start = next;
        next += ${partBytes};
        const part = file.slice(start, next);
        const range = 'bytes ' + start + '-' + (start + part.size - 1) + '/*';
        await ask('PUT', '?flush=n', { 'Content-Range': range }, ${body});
      }
    };
    const begun = performance.now();
    await Promise.all(Array.from({ length: ${workers} }, work));
    await ask('PATCH', '', { 'Content-Type': 'application/json' }, '{"op":"flush"}');
    return (performance.now() - begun) / 1000;
  })()`);
  if (typeof seconds !== 'number') throw new Error('The bare page could not upload');
  return seconds;
}
