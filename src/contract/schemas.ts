import type { OpenAPIObject } from '@nestjs/swagger';
import { KiB } from '../base/units.js';

export type SchemaObject = NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>[string];

/** A position or a number of bytes: what JSON numbers carry exactly everywhere (RFC 8259 section 6). */
export const byteCount = {
  type: 'integer',
  format: 'int64',
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
} as const;

/**
 * The body of PATCH /images/{id}. The longest useful body has 100 bytes; the rest leaves room for keys that
 * newer clients may send.
 */
export const imageOperationBytesMax = 4 * KiB;

/** Seconds that fit the 32-bit integers of engine. */
export const secondsMax = 2 ** 31 - 1;

export const seconds = { type: 'integer', format: 'int32', minimum: 0, maximum: secondsMax } as const;

/*
 * The longest texts of a ticket, in characters. Without limits a store full of tickets would take any
 * amount of memory, and the daemon would send headers that a proxy cannot read.
 */

/**
 * Engines send 36. Percent-encoded these take at most 6 KiB, which leaves room in the head of a request.
 */
export const ticketIdCharactersMax = 512;

/** Paths of Linux and export names of NBD have at most 4096 bytes each. */
export const imageUrlCharactersMax = 8 * KiB;

/** Names of disks have at most 255 in the engine, and an extension. In a header they take at most 6 KiB. */
export const filenameCharactersMax = 512;

/** Engines send 36. It is in every record of the log that has to do with the transfer. */
export const transferIdCharactersMax = 256;

/** There are two, and a list that repeats them is taken. */
export const ticketOpsMax = 16;

export const ticketIdExample = '2b2cf4d3-1c4c-4f6c-9f7e-6e8f3d0c5b11';

/** Image data. A string without encoding is how OpenAPI 3.1 tells generators of a stream of bytes. */
export const imageData = {
  'application/octet-stream': { schema: { type: 'string', format: 'binary' } },
} as const;
