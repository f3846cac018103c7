import { setImmediate } from 'node:timers/promises';
import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Param,
  Patch,
  Put,
  Query,
  Req,
  Res,
  applyDecorators,
} from '@nestjs/common';
import {
  ApiBody,
  ApiExcludeEndpoint,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiTags,
  getSchemaPath,
} from '../../contract/decorators.js';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { headRefusals, jsonBodyRefusals, refusal, stopping } from '../../contract/refusals.js';
import { rangesExample, rangesQuery } from '../../contract/image-operations.js';
import { ReceivedRangesDto } from '../../contract/ranges.dto.js';
import { ticketIdCharactersMax, ticketIdExample } from '../../contract/schemas.js';
import { InvalidRequestError } from '../../base/errors.js';
import { ServedTo } from '../../framework/audience.js';
import { hijack } from '../../framework/hijack.js';
import { sendJsonList } from '../../wire/json-list.js';
import { Polled } from '../../framework/polled.decorator.js';
import { JsonRequestBody } from '../../framework/request-body.decorator.js';
import { RequestLog } from '../../framework/request-log.decorator.js';
import { DtoPipe } from '../../framework/validation.js';
import { LOGGER, type Logger } from '../../log/logger.js';
import {
  TICKET_DEFAULTS,
  TicketDto,
  TicketExtensionDto,
  TicketInfoDto,
  ticketDefinition,
  ticketInfoDto,
  type TicketDefaults,
} from './ticket.dto.js';
import { EventStreams } from '../../wire/event-stream.js';
import { followTickets } from '../tickets-follower.js';
import type { TicketInfo } from '../ticket.js';
import { ticketLogFields } from '../ticket-log.js';
import { rangesRequest, wireRanges, type RangesQuery } from '../ranges-answer.js';
import { TICKET_STORE, type TicketStore } from '../ticket.store.js';

/** What every operation has in common. */
const anyOperation = applyDecorators(
  refusal(
    403,
    'The request has an `Origin`, or on TCP a `Host` that is not local: it is the work of a web page. ' +
      'The connection is closed.',
    'You are not allowed to access this resource: this is not for web pages',
  ),
  headRefusals,
  stopping,
);

const ofOneTicket = applyDecorators(
  anyOperation,
  ApiParam({
    name: 'id',
    description: 'Id of the ticket, percent-encoded; it may have slashes in it.',
    schema: { type: 'string', minLength: 1, maxLength: ticketIdCharactersMax },
    example: ticketIdExample,
  }),
);

const malformedId = refusal(400, 'The id is missing, too long or not percent-encoded UTF-8.', 'Invalid path');

const notFound = refusal(404, 'There is no such ticket.', 'No such ticket "x"');

const stillRunning = refusal(
  409,
  'Operations still run after `control.remove_timeout`; what is left stays, canceled. Call again.',
  'Timeout cancelling transfer t1',
);

const ticketEventsExample = [
  'event: complete\ndata: {"count":0}\n',
  ':\n',
  'event: removed\ndata: ["2b2cf4d3-1c4c-4f6c-9f7e-6e8f3d0c5b11"]\n\n',
].join('\n');

/**
 * The tickets API (docs/protocol.md, "The tickets API"). It is served on the control socket only: reaching
 * that socket is the permission.
 */
@ApiTags('tickets')
@ServedTo('control')
@Controller('tickets')
export class TicketsController {
  constructor(
    @Inject(TICKET_STORE) private readonly tickets: TicketStore,
    @Inject(TICKET_DEFAULTS) private readonly defaults: TicketDefaults,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly streams: EventStreams,
  ) {}

  @Get()
  @Polled()
  @ApiOperation({
    operationId: 'listTickets',
    summary: 'List all tickets',
    description: 'All tickets with the progress of their transfers, in the order in which they were added.',
  })
  @ApiOkResponse({ description: 'The tickets as they are now.', type: [TicketInfoDto] })
  @anyOperation
  list(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    hijack(request, reply, (exchange) => sendJsonList(exchange, ticketInfoDtos(this.tickets.list())));
  }

  @Get('events')
  @Polled()
  @ApiOperation({
    operationId: 'followTickets',
    summary: 'What happens to all tickets, as it happens',
    description:
      'Server-sent events when `Accept` names `text/event-stream`; otherwise the ticket whose id is ' +
      '`events`. First all tickets come in events `tickets`, each a list of at most 100, then `complete`; ' +
      'from then on, at most once a second, `tickets` with those that were added or have changed, and ' +
      '`removed` with a list of ids. `draining` ends the stream when the service stops. A comment comes ' +
      'each 15 s. After a reconnection all tickets come again.',
  })
  @ApiOkResponse({
    description: 'The events, until the client leaves; or the ticket as it is now.',
    content: {
      'application/json': { schema: { $ref: getSchemaPath(TicketInfoDto) } },
      'text/event-stream': { schema: { type: 'string' }, example: ticketEventsExample },
    },
  })
  @anyOperation
  @notFound
  follow(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    hijack(request, reply, async (exchange) => {
      if (request.headers.accept?.includes('text/event-stream') !== true) {
        const ticket = JSON.stringify(await this.show('events'));
        exchange.send(200, { 'Content-Type': 'application/json' }, ticket);
        return;
      }
      const stream = this.streams.begin(exchange);
      exchange.onDrain(() => {
        stream.end({ event: 'draining', data: {} });
      });
      await followTickets(this.tickets, stream, ticketInfoDto);
    });
  }

  @Get(':id')
  @Polled()
  @ApiOperation({
    operationId: 'getTicket',
    summary: 'Show a ticket and the progress of its transfer',
    description: 'Also tickets that have expired or are being removed. Asking does not extend the ticket.',
  })
  @ofOneTicket
  @ApiOkResponse({ description: 'The ticket as it is now.', type: TicketInfoDto })
  @malformedId
  @notFound
  async show(@Param('id') id: string): Promise<TicketInfoDto> {
    return ticketInfoDto(await this.tickets.info(id));
  }

  @Get(':id/ranges')
  @Polled()
  @ApiOperation({
    operationId: 'listTicketRanges',
    summary: 'Which bytes a ticket has brought to its image',
    description:
      'As clients of the image see it. A ticket that only reads has none. Asking does not extend the ticket.',
  })
  @ofOneTicket
  @rangesQuery
  @ApiOkResponse({
    description: 'The ranges from `start` on, in order.',
    type: ReceivedRangesDto,
    example: rangesExample,
  })
  @refusal(400, 'The request is malformed.', 'Invalid state, expected received or durable')
  @notFound
  async ranges(@Param('id') id: string, @Query() query: RangesQuery): Promise<object> {
    const { page, sizeBytes } = await this.tickets.received(id, rangesRequest(query));
    return wireRanges(page, sizeBytes);
  }

  @Put()
  @ApiExcludeEndpoint()
  putWithoutId(): never {
    throw new InvalidRequestError('Ticket id is required');
  }

  @Patch()
  @ApiExcludeEndpoint()
  extendWithoutId(): never {
    throw new InvalidRequestError('Ticket id is required');
  }

  @Put(':id')
  @HttpCode(200)
  @JsonRequestBody('ticket')
  @ApiOperation({
    operationId: 'putTicket',
    summary: 'Add a ticket, or replace an idle one',
    description:
      'The image is opened at the first use, so it need not exist yet. The body is read as JSON whatever ' +
      'its `Content-Type`; unknown keys are ignored.',
  })
  @ofOneTicket
  @ApiBody({ type: TicketDto, description: 'The ticket, at most 64 KiB.', required: true })
  @ApiOkResponse({ description: 'The ticket can be used.' })
  @refusal(400, 'The ticket is not valid; the text names the key.', 'Invalid ticket: size must be an integer')
  @jsonBodyRefusals
  @refusal(
    409,
    'Operations of a ticket with this id are running.',
    'Ticket of transfer t1 is in use, its operations are still running',
  )
  async put(
    @Param('id') id: string,
    @Body(new DtoPipe('ticket')) dto: TicketDto,
    @RequestLog() { logFields }: RequestLog,
  ): Promise<void> {
    if (dto.uuid !== id) throw new InvalidRequestError('Invalid ticket: uuid must be the id in the path');
    const definition = ticketDefinition(dto, this.defaults);
    Object.assign(logFields, ticketLogFields(definition));
    await this.tickets.add(definition);
  }

  @Patch(':id')
  @HttpCode(200)
  @JsonRequestBody('ticket extension')
  @ApiOperation({
    operationId: 'extendTicket',
    summary: 'Extend a ticket, also one that has expired',
    description: 'Sets the expiry to `timeout` seconds from now. The timeout of the ticket itself stays.',
  })
  @ofOneTicket
  @ApiBody({ type: TicketExtensionDto, description: 'The new expiry.', required: true })
  @ApiOkResponse({ description: 'Extended.' })
  @refusal(
    400,
    'There is no valid timeout in the body.',
    'Invalid ticket extension: timeout must be an integer',
  )
  @notFound
  @jsonBodyRefusals
  async extend(
    @Param('id') id: string,
    @Body(new DtoPipe('ticket extension')) { timeout }: TicketExtensionDto,
    @RequestLog() { logFields }: RequestLog,
  ): Promise<void> {
    logFields['timeout'] = timeout;
    await this.tickets.extend(id, timeout);
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'removeTicket',
    summary: 'Remove a ticket and stop its transfer',
    description:
      'Cancels running requests and waits until none of them does I/O any more. After 204 no byte of this ' +
      'ticket is ever written again, so the disk can be torn down. Idempotent.',
  })
  @ofOneTicket
  @ApiNoContentResponse({ description: 'The ticket does not exist and nothing of it is running.' })
  @malformedId
  @stillRunning
  async remove(@Param('id') id: string): Promise<void> {
    await this.tickets.remove(id);
  }

  @Delete()
  @HttpCode(204)
  @ApiOperation({
    operationId: 'removeAllTickets',
    summary: 'Remove all tickets and stop their transfers',
    description: 'The same as removing them one by one.',
  })
  @ApiNoContentResponse({ description: 'There are no tickets and nothing is running.' })
  @anyOperation
  @stillRunning
  async removeAll(@RequestLog() { requestId }: RequestLog): Promise<void> {
    const before: (readonly TicketInfo[])[] = [];
    for await (const list of this.tickets.list()) before.push(list);
    try {
      await this.tickets.removeAll();
    } finally {
      for (const list of before) await this.#logRemoved(list, requestId);
    }
  }

  /** One record for each, so that the end of a transfer is found by its name. */
  async #logRemoved(tickets: readonly TicketInfo[], requestId: string): Promise<void> {
    for (const { id, transferId } of tickets) {
      if ((await this.tickets.find(id)) !== undefined) continue;
      this.logger.info({ request_id: requestId, transfer_id: transferId }, 'Ticket removed');
    }
    // There may be very many lists: other requests have their turn between two of them.
    await setImmediate();
  }
}

async function* ticketInfoDtos(
  lists: AsyncIterable<readonly TicketInfo[]>,
): AsyncGenerator<readonly TicketInfoDto[]> {
  for await (const list of lists) yield list.map(ticketInfoDto);
}
