import { ApiProperty, ApiPropertyOptional, ApiSchema } from '../../contract/decorators.js';
import {
  byteCount,
  filenameCharactersMax,
  imageUrlCharactersMax,
  seconds,
  secondsMax,
  ticketIdCharactersMax,
  ticketIdExample,
  ticketOpsMax,
  transferIdCharactersMax,
} from '../../contract/schemas.js';
import { OptionalKey } from '../../framework/optional-key.decorator.js';
import { IsFlag, IsInteger, IsText, IsWordList } from '../../framework/value-checks.js';
import { InvalidRequestError } from '../../base/errors.js';
import { nameOfUnnamedTransfer } from '../../base/transfer-name.js';
import type { TicketAccess, TicketDefinition } from '../ticket-definition.js';
import type { TicketInfo } from '../ticket.js';

/** Engines that mean "no limit" send this, more than a `number` holds exactly. */
const sizeMax = 2n ** 64n;

const ticketAccess = {
  type: 'array' as const,
  items: { type: 'string', enum: ['read', 'write'] },
  minItems: 1,
  maxItems: ticketOpsMax,
  example: ['write'],
};

/** PUT /tickets/{id}: what the engine asks vdsm to install. */
@ApiSchema({ name: 'Ticket', description: 'A short-lived permission to read or write one image.' })
export class TicketDto {
  @ApiProperty({
    description:
      'Id of the ticket, the same as in the path. It is a secret: who knows it may use the ticket. Usually ' +
      'a UUID.',
    minLength: 1,
    maxLength: ticketIdCharactersMax,
    example: ticketIdExample,
  })
  @IsText({ minLength: 1, maxLength: ticketIdCharactersMax })
  uuid!: string;

  @ApiProperty({
    type: 'integer',
    format: 'int64',
    minimum: 0,
    description:
      'Bytes the client may touch, counted from the start of the image. May be larger than the image. Up ' +
      'to 2^64 is taken, for engines that mean "no limit".',
    example: 1_073_741_824,
  })
  @IsInteger({ minimum: 0, maximum: sizeMax })
  size!: number | bigint;

  @ApiProperty({ ...ticketAccess, description: 'What the ticket allows; `write` implies `read`.' })
  @IsWordList(['read', 'write'], { maxItems: ticketOpsMax })
  ops!: TicketAccess[];

  @ApiProperty({
    ...seconds,
    description: 'Seconds to live, from now, and again from each finished operation.',
    example: 300,
  })
  @IsInteger({ minimum: 0, maximum: secondsMax })
  timeout!: number;

  @ApiProperty({
    description:
      'The image: `file:///path`, `nbd:unix:/socket[:exportname=name]`, `nbd:host:port[:exportname=name]`, ' +
      '`nbd://host:port/name`, `nbd+unix:///name?socket=/path`; at a proxy ' +
      '`https://host:port/images/{id}`. It is opened at the first use.',
    minLength: 1,
    maxLength: imageUrlCharactersMax,
    pattern: '^(file|nbd|nbd\\+unix|https|http):',
    example: 'file:///rhev/data-center/images/disk.raw',
  })
  @IsText({ minLength: 1, maxLength: imageUrlCharactersMax })
  url!: string;

  @ApiPropertyOptional({
    description: 'What logs call the transfer. Without it a name is made of the first half of the id.',
    minLength: 1,
    maxLength: transferIdCharactersMax,
    example: '8fbd3bbe-9df6-4b6a-ae75-4dd1a8bd24ce',
  })
  @OptionalKey()
  @IsText({ minLength: 1, maxLength: transferIdCharactersMax })
  transfer_id?: string;

  @ApiPropertyOptional({
    ...seconds,
    description:
      'Seconds a connection of this ticket may be silent; 0 or absent: the default of the service.',
    example: 60,
  })
  @OptionalKey()
  @IsInteger({ minimum: 0, maximum: secondsMax })
  inactivity_timeout?: number;

  @ApiPropertyOptional({
    description: 'File name that browsers store a download under.',
    maxLength: filenameCharactersMax,
    example: 'disk.raw',
  })
  @OptionalKey()
  @IsText({ maxLength: filenameCharactersMax })
  filename?: string;

  @ApiPropertyOptional({ description: 'Zeroing deallocates.', default: false, example: true })
  @OptionalKey()
  @IsFlag()
  sparse?: boolean;

  @ApiPropertyOptional({ description: 'Dirty extents may be asked for.', default: false, example: false })
  @OptionalKey()
  @IsFlag()
  dirty?: boolean;
}

/** PATCH /tickets/{id} */
@ApiSchema({ name: 'TicketExtension', description: 'When a ticket is to expire.' })
export class TicketExtensionDto {
  @ApiProperty({
    ...seconds,
    description: 'The ticket expires this many seconds from now. 0 expires it.',
    example: 300,
  })
  @IsInteger({ minimum: 0, maximum: secondsMax })
  timeout!: number;
}

/** GET /tickets/{id} */
@ApiSchema({ name: 'TicketInfo', description: 'A ticket and the progress of its transfer.' })
export class TicketInfoDto {
  @ApiProperty({
    description: 'Id of the ticket.',
    minLength: 1,
    maxLength: ticketIdCharactersMax,
    example: ticketIdExample,
  })
  uuid!: string;

  @ApiProperty({
    type: 'integer',
    format: 'int64',
    minimum: 0,
    description: 'Bytes the client may touch.',
    example: 1_073_741_824,
  })
  size!: unknown;

  @ApiProperty({
    description: 'The image.',
    maxLength: imageUrlCharactersMax,
    example: 'file:///rhev/data-center/images/disk.raw',
  })
  url!: string;

  @ApiProperty({ ...ticketAccess, description: 'What the ticket allows; `write` implies `read`.' })
  ops!: readonly TicketAccess[];

  @ApiProperty({ ...seconds, description: 'Seconds to live from each finished operation.', example: 300 })
  timeout!: number;

  @ApiProperty({
    type: 'integer',
    format: 'int64',
    minimum: 0,
    description: 'When it expires, in whole seconds of the CLOCK_MONOTONIC of the host.',
    example: 86_713,
  })
  expires!: number;

  @ApiProperty({ description: 'An operation is running.', example: true })
  active!: boolean;

  @ApiProperty({ description: 'The ticket is being removed: new requests are refused.', example: false })
  canceled!: boolean;

  @ApiProperty({
    description: 'Open connections that used the ticket.',
    type: 'integer',
    format: 'int32',
    minimum: 0,
    example: 1,
  })
  connections!: number;

  @ApiProperty({
    ...seconds,
    description: 'Whole seconds since the last activity, 0 while an operation runs.',
    example: 0,
  })
  idle_time!: number;

  @ApiProperty({ ...seconds, description: 'Seconds a connection of this ticket may be silent.', example: 60 })
  inactivity_timeout!: number;

  @ApiProperty({ description: 'Zeroing deallocates.', example: false })
  sparse!: boolean;

  @ApiProperty({ description: 'Dirty extents may be asked for.', example: false })
  dirty!: boolean;

  @ApiProperty({
    description: 'What logs call the transfer.',
    minLength: 1,
    maxLength: transferIdCharactersMax,
    example: '8fbd3bbe-9df6-4b6a-ae75-4dd1a8bd24ce',
  })
  transfer_id!: string;

  @ApiPropertyOptional({
    description: 'File name that browsers store a download under.',
    maxLength: filenameCharactersMax,
    example: 'disk.raw',
  })
  filename?: string;

  @ApiPropertyOptional({
    ...byteCount,
    description:
      'Distinct bytes transferred so far, also by the running requests: what a progress bar shows. Absent ' +
      'when the ticket allows both ops.',
    example: 134_217_728,
  })
  transferred?: number;
}

export const TICKET_DEFAULTS = Symbol('TICKET_DEFAULTS');

/** What a ticket is judged and completed by. */
export interface TicketDefaults {
  readonly inactivityTimeoutSeconds: number;
  /** Schemes of the image sources that this service has, and so may be in a ticket's url. */
  readonly schemes: readonly string[];
}

/** @throws InvalidRequestError when the url is of no kind this service can open */
export function ticketDefinition(dto: TicketDto, defaults: TicketDefaults): TicketDefinition {
  const scheme = dto.url.slice(0, Math.max(0, dto.url.indexOf(':')));
  if (!defaults.schemes.includes(scheme)) {
    throw new InvalidRequestError(
      `Invalid ticket: url must be one of ${defaults.schemes.map((name) => `${name}:`).join(', ')}`,
    );
  }
  return {
    id: dto.uuid,
    size: BigInt(dto.size),
    ops: dto.ops,
    timeoutSeconds: dto.timeout,
    // Engines may send 0; a connection that may never be silent could not transfer anything.
    inactivityTimeoutSeconds:
      dto.inactivity_timeout === undefined || dto.inactivity_timeout === 0
        ? defaults.inactivityTimeoutSeconds
        : dto.inactivity_timeout,
    url: dto.url,
    transferId: dto.transfer_id ?? nameOfUnnamedTransfer(dto.uuid),
    ...(dto.filename === undefined ? {} : { filename: dto.filename }),
    sparse: dto.sparse ?? false,
    dirty: dto.dirty ?? false,
  };
}

export function ticketInfoDto(info: TicketInfo): TicketInfoDto {
  return {
    uuid: info.id,
    // Exactly the digits that came in, also beyond 2^53.
    size: rawJson(info.size.toString()),
    url: info.url,
    ops: info.ops,
    timeout: info.timeoutSeconds,
    expires: info.expiresSeconds,
    active: info.active,
    canceled: info.canceled,
    connections: info.connections,
    idle_time: info.idleSeconds,
    inactivity_timeout: info.inactivityTimeoutSeconds,
    sparse: info.sparse,
    dirty: info.dirty,
    transfer_id: info.transferId,
    ...(info.filename === undefined ? {} : { filename: info.filename }),
    ...(info.transferredBytes === undefined ? {} : { transferred: info.transferredBytes }),
  };
}

// TypeScript's library does not know JSON.rawJSON yet (ECMAScript 2026).
const { rawJSON: rawJson } = JSON as typeof JSON & { readonly rawJSON: (text: string) => unknown };
