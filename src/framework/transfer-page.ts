import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Audience } from '../wire/audience.js';

const require = createRequire(import.meta.url);

const served = { constraints: { audience: 'network' satisfies Audience } };

/** Where the page is; its files name each other by it. */
const path = '/transfer';

const headers = {
  // Nothing from elsewhere, nothing inline, no framing, and no request to another service.
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; worker-src 'self'; " +
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
  // The address of the page may have had a ticket in it.
  'Referrer-Policy': 'no-referrer',
  Vary: 'Accept-Encoding',
};

/** A year: the name has the hash of the content, so what it names never changes. */
const immutable = 'public, max-age=31536000, immutable';

/** What the build has made of a file. */
interface BuiltFile {
  readonly type: string;
  /** Hex SHA-256 of its content. */
  readonly digest: string;
}

/** As the build has compressed each file, the smallest first. */
const codings = [
  { name: 'br', ending: '.br' },
  { name: 'gzip', ending: '.gz' },
] as const;

/**
 * Mounts the page by which people upload and download disks in a browser. To be called before the
 * application is initialised. Its files are read when they are asked for, as most processes never are.
 */
export function mountTransferPage(adapter: { getInstance(): FastifyInstance }): void {
  const fastify = adapter.getInstance();
  const folder = join(dirname(require.resolve('ovirt-imageio/package.json')), 'dist', 'page');
  const files = JSON.parse(readFileSync(join(folder, 'files.json'), 'utf8')) as Record<string, BuiltFile>;
  for (const [name, file] of Object.entries(files)) {
    const isDocument = name === 'index.html';
    fastify.get(isDocument ? path : `${path}/${name}`, served, async (request, reply) =>
      send(request, reply, {
        ...file,
        location: join(folder, name),
        cacheControl: isDocument ? 'no-cache' : immutable,
      }),
    );
  }
}

interface SentFile extends BuiltFile {
  readonly location: string;
  readonly cacheControl: string;
}

async function send(
  request: FastifyRequest,
  reply: FastifyReply,
  { type, digest, location, cacheControl }: SentFile,
): Promise<FastifyReply> {
  const coding = codings.find(({ name }) => accepts(request.headers['accept-encoding'], name));
  // A coded file is another representation, and has a tag of its own (RFC 9110, 8.8.3).
  const tag = `"${digest.slice(0, 32)}${coding === undefined ? '' : `-${coding.name}`}"`;
  void reply.headers({ ...headers, 'Cache-Control': cacheControl, ETag: tag });
  if (request.headers['if-none-match']?.includes(tag) === true) return reply.code(304).send();
  if (coding !== undefined) void reply.header('Content-Encoding', coding.name);
  return reply.type(type).send(await readFile(`${location}${coding?.ending ?? ''}`));
}

/** Whether a client takes that coding, and does not refuse it with a weight of zero. */
function accepts(header: string | string[] | undefined, coding: string): boolean {
  return [header].flat().some((value) =>
    value?.split(',').some((entry) => {
      const [name, weight = ''] = entry.split(';');
      return name?.trim() === coding && !/^\s*q=0(\.0*)?\s*$/.test(weight);
    }),
  );
}
