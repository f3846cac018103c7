import { Body, Controller, Delete, HttpCode, Inject, Param, Put, Req } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { Credentials } from './credentials.js';
import { errorResponse } from '../http/contract.js';
import { BytesRequestBody } from '../http/request-body.decorator.js';
import { GRANT_STORE, type GrantStore } from './session.store.js';
import type { TransferGrant } from './transfer-grant.js';
import { InvalidRequestError, NotAllowedError, NotFoundError, UnauthenticatedError } from '../errors.js';

const signedTicketBody = {
  required: true,
  description: 'The signed ticket: base64 on one line. Any Content-Type will do.',
  schema: { type: 'string', pattern: '^[A-Za-z0-9+/]+={0,2}$', example: 'eyJzYWx0IjoiVE1WbXNwUkRxLzA9In0=' },
} as const;
const ticketIdParam = {
  name: 'id',
  description: 'Id of the transfer ticket.',
  schema: { type: 'string', format: 'uuid', example: '00000001-0000-4000-8000-000000000001' },
} as const;
const notVerified = errorResponse(
  403,
  'The ticket does not verify, and why.',
  'You are not allowed to access this resource: Signed ticket: has expired',
);
const unavailable = errorResponse(
  503,
  'There are as many tickets as this proxy takes, the store that proxies share is away, or too many tickets from this address ' +
    'were wrong; `Retry-After` says when to try again.',
  'The limit of 10000 sessions is reached',
);

/** `/tickets/` on the proxy's public port, for engines of the late 1.x years. */
@ApiTags('signed tickets')
@Controller('tickets')
export class GrantsController {
  constructor(
    private readonly credentials: Credentials,
    @Inject(GRANT_STORE) private readonly grants: GrantStore,
  ) {}

  @Put()
  @BytesRequestBody()
  @HttpCode(200)
  @ApiOperation({
    operationId: 'putSignedTicket',
    summary: 'Store a signed ticket',
    description:
      'Stores a signed ticket. Until it expires, requests for `/images/{ticket-id}` of its transfer ticket need no session ' +
      'and no header. A ticket that is stored already is renewed. The signature is the authorisation.',
  })
  @ApiConsumes('text/plain')
  @ApiBody(signedTicketBody)
  @ApiResponse({ status: 200, description: 'The ticket is stored.' })
  @ApiResponse(notVerified)
  @ApiResponse(unavailable)
  async putSignedTicket(
    @Body() body: Buffer | string | undefined,
    @Req() request: FastifyRequest,
  ): Promise<void> {
    await this.grants.put(this.#verify(body, request));
  }

  @Put(':id')
  @BytesRequestBody()
  @HttpCode(200)
  @ApiOperation({
    operationId: 'putSignedTicketById',
    summary: 'Store a signed ticket under its id',
    description:
      'The same as without the id, which must be the id of the transfer ticket in the signed ticket.',
  })
  @ApiParam(ticketIdParam)
  @ApiConsumes('text/plain')
  @ApiBody(signedTicketBody)
  @ApiResponse({ status: 200, description: 'The ticket is stored.' })
  @ApiResponse(
    errorResponse(
      400,
      'The signed ticket is of another transfer ticket.',
      'Ticket id in the path must match the signed ticket',
    ),
  )
  @ApiResponse(notVerified)
  @ApiResponse(unavailable)
  async putSignedTicketById(
    @Param('id') id: string,
    @Body() body: Buffer | string | undefined,
    @Req() request: FastifyRequest,
  ): Promise<void> {
    const grant = this.#verify(body, request);
    // With an empty id the request is `PUT /tickets/`, which routers take for this route.
    if (id !== '' && grant.transferTicketId !== id) {
      throw new InvalidRequestError('Ticket id in the path must match the signed ticket');
    }
    await this.grants.put(grant);
  }

  @Delete()
  @HttpCode(204)
  @ApiOperation({
    operationId: 'deleteSignedTicketWithoutId',
    summary: 'Always refused: an id is required',
    description: 'Signed tickets are removed one by one.',
  })
  @ApiResponse(errorResponse(400, 'The id is missing.', 'Ticket id is required'))
  deleteSignedTicketWithoutId(): never {
    throw new InvalidRequestError('Ticket id is required');
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'deleteSignedTicket',
    summary: 'Remove a signed ticket',
    description: 'Removes a stored ticket. Requests that are being relayed under it are cut off.',
  })
  @ApiParam(ticketIdParam)
  @ApiResponse({ status: 204, description: 'The ticket is removed.' })
  @ApiResponse(errorResponse(400, 'The id is missing.', 'Ticket id is required'))
  @ApiResponse(errorResponse(404, 'There is no such ticket, or it has expired.', 'No such ticket'))
  @ApiResponse(unavailable)
  async deleteSignedTicket(@Param('id') id: string, @Req() request: FastifyRequest): Promise<void> {
    if (id === '') throw new InvalidRequestError('Ticket id is required');
    if (await this.grants.delete(id)) return;
    throw this.credentials.failure(new NotFoundError('No such ticket'), request.raw.socket.remoteAddress);
  }

  /** The same judgement as for sessions, told as 403: here the ticket is what is put, not a credential that is shown. */
  #verify(body: Buffer | string | undefined, request: FastifyRequest): TransferGrant {
    try {
      // A file that is sent as it is ends in a newline.
      const ticket = (body ?? '').toString().replace(/\r?\n$/, '');
      return this.credentials.verify(ticket, request.raw.socket.remoteAddress);
    } catch (error) {
      if (error instanceof UnauthenticatedError) throw new NotAllowedError(error.message, { cause: error });
      throw error;
    }
  }
}
