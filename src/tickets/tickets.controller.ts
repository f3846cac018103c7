import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Patch, Put } from '@nestjs/common';
import {
  ApiBadRequestResponse,
  ApiBody,
  ApiConflictResponse,
  ApiExcludeEndpoint,
  ApiNoContentResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiPayloadTooLargeResponse,
  ApiServiceUnavailableResponse,
  ApiTags,
} from '@nestjs/swagger';
import { InvalidRequestError } from '../errors.js';
import { errorContent } from '../http/contract.js';
import { JsonRequestBody } from '../http/request-body.decorator.js';
import { validationPipe } from '../http/validation.js';
import {
  TicketDto,
  TicketExtensionDto,
  TicketInfoDto,
  ticketDefinition,
  ticketInfoDto,
  type TicketDefaults,
} from './ticket.dto.js';
import { TICKET_STORE, type TicketStore } from './ticket.store.js';

export const TICKET_DEFAULTS = Symbol('TICKET_DEFAULTS');

const idParam = ApiParam({
  name: 'id',
  description: 'Id of the ticket, percent-encoded',
  example: '2b2cf4d3-1c4c-4f6c-9f7e-6e8f3d0c5b11',
});

/** The tickets API (spec section 3). It is served on the control socket only: reaching that socket is the permission. */
@ApiTags('tickets')
@Controller('tickets')
export class TicketsController {
  constructor(
    @Inject(TICKET_STORE) private readonly tickets: TicketStore,
    @Inject(TICKET_DEFAULTS) private readonly defaults: TicketDefaults,
  ) {}

  @Get()
  @ApiOperation({ operationId: 'listTickets', summary: 'List all tickets' })
  @ApiOkResponse({ description: 'All tickets, in the order they were added', type: [TicketInfoDto] })
  async list(): Promise<TicketInfoDto[]> {
    return (await this.tickets.list()).map(ticketInfoDto);
  }

  @Get(':id')
  @ApiOperation({ operationId: 'getTicket', summary: 'Show a ticket and the progress of its transfer' })
  @idParam
  @ApiOkResponse({ description: 'The ticket as it is now', type: TicketInfoDto })
  @ApiNotFoundResponse({ description: 'No such ticket', content: errorContent('No such ticket "x"') })
  async show(@Param('id') id: string): Promise<TicketInfoDto> {
    return ticketInfoDto(await this.tickets.info(id));
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
    description: 'The image is opened at the first use, so it need not exist yet. Unknown keys are ignored.',
  })
  @idParam
  @ApiBody({ type: TicketDto })
  @ApiOkResponse({ description: 'The ticket can be used' })
  @ApiBadRequestResponse({
    description: 'The ticket is not valid; the text names the key',
    content: errorContent('Invalid ticket: size must be an integer from 0 to 2^64'),
  })
  @ApiConflictResponse({
    description: 'Operations of a ticket with this id are running',
    content: errorContent('Ticket of transfer t1 is in use, its operations are still running'),
  })
  @ApiPayloadTooLargeResponse({
    description: 'The body is larger than 64 KiB',
    content: errorContent('Request body is larger than the limit of 65536 bytes'),
  })
  @ApiServiceUnavailableResponse({
    description: 'Too many tickets',
    content: errorContent('Too many tickets, the limit is 200000'),
  })
  async put(@Param('id') id: string, @Body(validationPipe('ticket')) dto: TicketDto): Promise<void> {
    if (dto.uuid !== id) throw new InvalidRequestError('Invalid ticket: uuid must be the id in the path');
    await this.tickets.add(ticketDefinition(dto, this.defaults));
  }

  @Patch(':id')
  @HttpCode(200)
  @JsonRequestBody('ticket extension')
  @ApiOperation({
    operationId: 'extendTicket',
    summary: 'Extend a ticket, also one that has expired',
    description: 'Sets the expiry to `timeout` seconds from now. The timeout of the ticket itself stays.',
  })
  @idParam
  @ApiBody({ type: TicketExtensionDto })
  @ApiOkResponse({ description: 'Extended' })
  @ApiBadRequestResponse({
    description: 'No valid timeout',
    content: errorContent('Invalid ticket extension: timeout must not be less than 0'),
  })
  @ApiNotFoundResponse({ description: 'No such ticket', content: errorContent('No such ticket "x"') })
  @ApiPayloadTooLargeResponse({
    description: 'The body is larger than 64 KiB',
    content: errorContent('Request body is larger than the limit of 65536 bytes'),
  })
  async extend(
    @Param('id') id: string,
    @Body(validationPipe('ticket extension')) { timeout }: TicketExtensionDto,
  ): Promise<void> {
    await this.tickets.extend(id, timeout);
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'removeTicket',
    summary: 'Remove a ticket and stop its transfer',
    description:
      'Cancels running requests and waits until none of them does I/O any more. After 204 no byte of this ticket is ever written ' +
      'again, so the disk can be torn down. Idempotent.',
  })
  @idParam
  @ApiNoContentResponse({ description: 'The ticket does not exist and nothing of it is running' })
  @ApiConflictResponse({
    description:
      'Operations still run after control.remove_timeout; the ticket stays, cancelled. Call again.',
    content: errorContent('Timeout cancelling transfer t1'),
  })
  async remove(@Param('id') id: string): Promise<void> {
    await this.tickets.remove(id);
  }

  @Delete()
  @HttpCode(204)
  @ApiOperation({ operationId: 'removeAllTickets', summary: 'Remove all tickets and stop their transfers' })
  @ApiNoContentResponse({ description: 'There are no tickets and nothing is running' })
  @ApiConflictResponse({
    description: 'Operations still run after control.remove_timeout',
    content: errorContent('Timeout cancelling transfer t1'),
  })
  async removeAll(): Promise<void> {
    await this.tickets.removeAll();
  }
}
