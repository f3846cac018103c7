import { Controller, Get, Head, Inject, Options, Param, Patch, Put, Query, Req, Res } from '@nestjs/common';
import { ApiExcludeEndpoint, ApiTags } from '@nestjs/swagger';
import { ServedTo } from '../../framework/audience.js';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ChecksumAlgorithmsDto } from '../../contract/image.dto.js';
import * as contract from '../../contract/image-operations.js';
import { InvalidRequestError } from '../../base/errors.js';
import { refuseCodedBody, refuseWrappedBody } from '../../wire/headers/body-coding.js';
import { isPreflight } from '../../wire/headers/cors.js';
import { parseContentRangeStart, parseRange } from '../../wire/headers/content-range.js';
import { hijack } from '../../framework/hijack.js';
import { yesOrNo } from '../../wire/headers/query-flag.js';
import { LOGGER, type Logger } from '../../log/logger.js';
import { ChecksumHandler, parseChecksumQuery } from '../operations/checksum.handler.js';
import { checksumAlgorithms } from '../checksum/block-hash.js';
import { ExtentsHandler } from '../operations/extents.handler.js';
import { daemonAccess } from './images.contract.js';
import { OptionsHandler } from '../operations/options.handler.js';
import { PatchHandler } from '../operations/patch.handler.js';
import { ReadHandler } from '../operations/read.handler.js';
import { WriteHandler } from '../operations/write.handler.js';

/** What the framework has parsed of a query string: a repeated name becomes a list. */
type QueryValues = Readonly<Record<string, string | string[]>>;

/**
 * The images API (docs/protocol.md, "The images API"). Each route turns headers and query into a request
 * for one handler; what is wrong with those is refused here, before the ticket is looked at. Bodies are
 * read by the handlers, after it was. They answer for themselves: no image byte passes the framework.
 */
@ApiTags(contract.imagesTag)
@ServedTo('network')
@Controller('images')
export class ImagesController {
  constructor(
    private readonly readHandler: ReadHandler,
    private readonly writeHandler: WriteHandler,
    private readonly patchHandler: PatchHandler,
    private readonly extentsHandler: ExtentsHandler,
    private readonly checksumHandler: ChecksumHandler,
    private readonly optionsHandler: OptionsHandler,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @Options(':id')
  @contract.ImageOptions(daemonAccess)
  async options(
    @Param('id') ticketId: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await hijack(request, reply, this.logger, async (exchange) => {
      // A browser asks this before the real request and shows nothing of a refusal; whether the ticket holds the real one is told.
      if (isPreflight(request.raw)) exchange.send(200, { Allow: 'OPTIONS,GET,PUT,PATCH' });
      else await this.optionsHandler.handle(exchange, ticketId);
    });
  }

  @Get(':id')
  @contract.ReadImage(daemonAccess)
  async read(
    @Param('id') ticketId: string,
    @Query() query: QueryValues,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const { range, 'if-range': condition } = request.headers;
    const read = {
      ticketId,
      // Responses carry no validator, so a condition on one is never met and the range is to be ignored (RFC 9110 section 13.1.5).
      range: range === undefined || condition !== undefined ? undefined : parseRange(range),
      close: yesOrNo(query, 'close', false),
    };
    await hijack(request, reply, this.logger, (exchange) => this.readHandler.handle(exchange, read));
  }

  @Head(':id')
  @contract.HeadImage(daemonAccess)
  async head(
    @Param('id') ticketId: string,
    @Query() query: QueryValues,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.read(ticketId, query, request, reply);
  }

  @Put(':id')
  @contract.WriteImage(daemonAccess)
  async write(
    @Param('id') ticketId: string,
    @Query() query: QueryValues,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    refuseWrappedBody(request.raw);
    const write = {
      ticketId,
      offsetBytes: parseContentRangeStart(request.headers['content-range']),
      lengthBytes: bodyLength(request),
      flush: yesOrNo(query, 'flush', true),
      close: yesOrNo(query, 'close', false),
    };
    await hijack(request, reply, this.logger, (exchange) => this.writeHandler.handle(exchange, write));
  }

  @Patch(':id')
  @contract.PatchImage(daemonAccess)
  async patch(
    @Param('id') ticketId: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    refuseCodedBody(request.raw);
    await hijack(request, reply, this.logger, (exchange) => this.patchHandler.handle(exchange, ticketId));
  }

  @Get(':id/extents')
  @contract.ListExtents(daemonAccess)
  async extents(
    @Param('id') ticketId: string,
    @Query('context') context: unknown,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    if (context !== undefined && context !== 'zero' && context !== 'dirty') {
      throw new InvalidRequestError('Invalid context, expected zero or dirty');
    }
    await hijack(request, reply, this.logger, (exchange) =>
      this.extentsHandler.handle(exchange, ticketId, context ?? 'zero'),
    );
  }

  @Get(':id/checksum')
  @contract.GetChecksum(daemonAccess)
  async checksum(
    @Param('id') ticketId: string,
    @Query() query: QueryValues,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const checksum = parseChecksumQuery(query);
    await hijack(request, reply, this.logger, (exchange) =>
      this.checksumHandler.handle(exchange, { ticketId, ...checksum }),
    );
  }

  @Get(':id/checksum/algorithms')
  @contract.ListChecksumAlgorithms(daemonAccess)
  algorithms(): ChecksumAlgorithmsDto {
    return { algorithms: checksumAlgorithms };
  }

  @Get()
  @ApiExcludeEndpoint()
  readWithoutId(): never {
    throw missingId();
  }

  @Head()
  @ApiExcludeEndpoint()
  headWithoutId(): never {
    throw missingId();
  }

  @Put()
  @ApiExcludeEndpoint()
  writeWithoutId(): never {
    throw missingId();
  }

  @Patch()
  @ApiExcludeEndpoint()
  patchWithoutId(): never {
    throw missingId();
  }

  @Options()
  @ApiExcludeEndpoint()
  optionsWithoutId(): never {
    throw missingId();
  }
}

function missingId(): InvalidRequestError {
  return new InvalidRequestError('Ticket id is required');
}

/** @returns undefined for a chunked body, whose length nobody knows. @throws InvalidRequestError when the body has no end at all */
function bodyLength({ headers }: FastifyRequest): number | undefined {
  const length = headers['content-length'];
  if (length !== undefined) return Number(length);
  if (headers['transfer-encoding'] === undefined) throw new InvalidRequestError('Content-Length is required');
  return undefined;
}
