import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import {
  ArrayNotEmpty,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsNotEmpty,
  IsString,
  Max,
  Min,
  ValidateBy,
  type ValidationOptions,
} from 'class-validator';
import { OptionalKey } from '../http/optional-key.decorator.js';
import { InvalidRequestError } from '../errors.js';
import type { TicketAccess, TicketDefinition, TicketInfo } from './ticket.js';

const sizeMax = 2n ** 64n;

/** Seconds fit the int32 that engine casts them to. */
const secondsMax = 2 ** 31 - 1;

function isSize(value: unknown): boolean {
  return (
    (Number.isSafeInteger(value) && (value as number) >= 0) ||
    (typeof value === 'bigint' && value >= 0n && value <= sizeMax)
  );
}

/** An integer number of bytes, 0 … 2^64: more than a `number` holds exactly. */
function IsSize(options?: ValidationOptions): PropertyDecorator {
  return ValidateBy(
    {
      name: 'isSize',
      validator: {
        validate: isSize,
        defaultMessage: () => '$property must be an integer from 0 to 2^64',
      },
    },
    options,
  );
}

/** PUT /tickets/{id}: what the engine asks vdsm to install. */
export class TicketDto {
  @ApiProperty({
    description:
      'Id of the ticket, the same as in the path. It is a secret: who knows it may use the ticket.',
    example: '2b2cf4d3-1c4c-4f6c-9f7e-6e8f3d0c5b11',
  })
  @IsString()
  @IsNotEmpty()
  uuid!: string;

  @ApiProperty({
    description:
      'Bytes the client may touch, counted from the start of the image. May be larger than the image.',
    type: 'integer',
    format: 'int64',
    minimum: 0,
    example: 1073741824,
  })
  @IsSize()
  size!: number | bigint;

  @ApiProperty({
    description: 'What the ticket allows; "write" implies "read".',
    enum: ['read', 'write'],
    isArray: true,
    example: ['write'],
  })
  @IsArray()
  @ArrayNotEmpty()
  @IsIn(['read', 'write'], { each: true, message: '$property must be a list of "read" and "write"' })
  ops!: TicketAccess[];

  @ApiProperty({
    description: 'Seconds to live, from now, and again from each finished operation.',
    type: 'integer',
    minimum: 0,
    maximum: secondsMax,
    example: 300,
  })
  @IsInt()
  @Min(0)
  @Max(secondsMax)
  timeout!: number;

  @ApiProperty({
    description:
      'The image: file:///path, nbd:unix:/socket[:exportname=name], nbd:host:port[:exportname=name], nbd://host:port/name, nbd+unix:///name?socket=/path or https://host:port/images/{id}.',
    example: 'file:///rhev/data-center/images/disk.raw',
  })
  @IsString()
  @IsNotEmpty()
  url!: string;

  @ApiPropertyOptional({
    description: 'What logs call the transfer.',
    example: '8fbd3bbe-9df6-4b6a-ae75-4dd1a8bd24ce',
  })
  @OptionalKey()
  @IsString()
  @IsNotEmpty()
  transfer_id?: string;

  @ApiPropertyOptional({
    description: 'Seconds a connection of this ticket may be silent; 0 or absent: the default of the daemon.',
    type: 'integer',
    minimum: 0,
    maximum: secondsMax,
    example: 60,
  })
  @OptionalKey()
  @IsInt()
  @Min(0)
  @Max(secondsMax)
  inactivity_timeout?: number;

  @ApiPropertyOptional({
    description: 'File name that browsers store a download under.',
    example: 'disk.raw',
  })
  @OptionalKey()
  @IsString()
  filename?: string;

  @ApiPropertyOptional({ description: 'Zeroing deallocates.', default: false })
  @OptionalKey()
  @IsBoolean()
  sparse?: boolean;

  @ApiPropertyOptional({ description: 'Dirty extents may be asked for.', default: false })
  @OptionalKey()
  @IsBoolean()
  dirty?: boolean;
}

/** PATCH /tickets/{id} */
export class TicketExtensionDto {
  @ApiProperty({
    description: 'The ticket expires this many seconds from now. 0 expires it.',
    type: 'integer',
    minimum: 0,
    maximum: secondsMax,
    example: 300,
  })
  @IsInt()
  @Min(0)
  @Max(secondsMax)
  timeout!: number;
}

/** GET /tickets/{id} */
export class TicketInfoDto {
  @ApiProperty({ description: 'Id of the ticket.', example: '2b2cf4d3-1c4c-4f6c-9f7e-6e8f3d0c5b11' })
  uuid!: string;

  @ApiProperty({
    description: 'Bytes the client may touch.',
    type: 'integer',
    format: 'int64',
    minimum: 0,
    example: 1073741824,
  })
  size!: unknown;

  @ApiProperty({ description: 'The image.', example: 'file:///rhev/data-center/images/disk.raw' })
  url!: string;

  @ApiProperty({
    description: 'What the ticket allows.',
    enum: ['read', 'write'],
    isArray: true,
    example: ['write'],
  })
  ops!: readonly TicketAccess[];

  @ApiProperty({
    description: 'Seconds to live from each finished operation.',
    type: 'integer',
    minimum: 0,
    example: 300,
  })
  timeout!: number;

  @ApiProperty({
    description: 'When it expires, in whole seconds of the CLOCK_MONOTONIC of the host.',
    type: 'integer',
    minimum: 0,
    example: 86713,
  })
  expires!: number;

  @ApiProperty({ description: 'An operation is running.', example: true })
  active!: boolean;

  @ApiProperty({ description: 'The ticket is being removed: new requests are refused.', example: false })
  canceled!: boolean;

  @ApiProperty({
    description: 'Open connections that used the ticket.',
    type: 'integer',
    minimum: 0,
    example: 1,
  })
  connections!: number;

  @ApiProperty({
    description: 'Whole seconds since the last activity, 0 while an operation runs.',
    type: 'integer',
    minimum: 0,
    example: 0,
  })
  idle_time!: number;

  @ApiProperty({
    description: 'Seconds a connection of this ticket may be silent.',
    type: 'integer',
    minimum: 0,
    example: 60,
  })
  inactivity_timeout!: number;

  @ApiProperty({ description: 'Zeroing deallocates.', example: false })
  sparse!: boolean;

  @ApiProperty({ description: 'Dirty extents may be asked for.', example: false })
  dirty!: boolean;

  @ApiProperty({
    description: 'What logs call the transfer.',
    example: '8fbd3bbe-9df6-4b6a-ae75-4dd1a8bd24ce',
  })
  transfer_id!: string;

  @ApiPropertyOptional({
    description: 'File name that browsers store a download under.',
    example: 'disk.raw',
  })
  filename?: string;

  @ApiPropertyOptional({
    description:
      'Distinct bytes transferred so far, also by the running requests. Absent when the ticket allows both ops.',
    type: 'integer',
    format: 'int64',
    minimum: 0,
    example: 134217728,
  })
  transferred?: number;
}

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
    transferId: dto.transfer_id ?? defaultTransferId(dto.uuid),
    ...(dto.filename === undefined ? {} : { filename: dto.filename }),
    sparse: dto.sparse ?? false,
    dirty: dto.dirty ?? false,
  };
}

/** Half of the id is enough to find a transfer in the log and too little to use it. */
function defaultTransferId(id: string): string {
  return `(ticket/${id.slice(0, Math.min(18, Math.floor(id.length / 2)))}…)`;
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
const { rawJSON: rawJson } = JSON as unknown as { readonly rawJSON: (text: string) => unknown };
