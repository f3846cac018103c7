import { Body, Controller, Delete, HttpCode, Inject, Param, Put, Req } from '@nestjs/common';
import {
  ApiBody,
  ApiConsumes,
  ApiExcludeEndpoint,
  ApiOperation,
  ApiParam,
  ApiResponse,
  ApiTags,
} from '../../contract/decorators.js';
import { ServedTo } from '../../framework/audience.js';
import { codedBody, headRefusals, refusal, tooManyFailures } from '../../contract/refusals.js';
import { ticketIdCharactersMax, ticketIdExample } from '../../contract/schemas.js';
import type { FastifyRequest } from 'fastify';
import { Credentials } from '../credentials.js';
import { endHeld } from './end-held.js';
import { BytesRequestBody } from '../../framework/request-body.decorator.js';
import { RequestLog } from '../../framework/request-log.decorator.js';
import { GRANT_STORE, type GrantStore } from '../stores/grant.store.js';
import { transferName, type Grant } from '../grant.js';
import { InvalidRequestError, NotAllowedError, UnauthenticatedError } from '../../base/errors.js';

const signedTicketBody = {
  required: true,
  description: 'The signed ticket: base64 on one line. Any `Content-Type` will do.',
  schema: {
    type: 'string',
    minLength: 1,
    maxLength: 65_536,
    pattern: '^[A-Za-z0-9+/]+={0,2}$',
    example: 'eyJzYWx0IjoiVE1WbXNwUkRxLzA9In0=',
  },
} as const;
const ticketIdParam = {
  name: 'id',
  description: 'Id of the transfer ticket.',
  schema: { type: 'string', minLength: 1, maxLength: ticketIdCharactersMax },
  example: ticketIdExample,
} as const;
const notVerified = refusal(
  403,
  'The ticket does not verify, and why.',
  'You are not allowed to access this resource: Signed ticket: has expired',
);
const unavailable = refusal(
  503,
  'There are as many tickets as this proxy takes, the store that proxies share is away, or the proxy is ' +
    'stopping; `Retry-After` says when to try again.',
  'The limit of 10000 sessions is reached',
);

const bodyTooSlow = refusal(
  408,
  'The body stopped arriving for a minute. The connection is closed.',
  'Client was silent for 60 seconds',
);
const bodyTooLarge = refusal(
  413,
  'The body is larger than 64 KiB.',
  'Request body is larger than the limit of 65536 bytes',
);

/** `/tickets/` on the proxy's public port, for engines of the late 1.x years. */
@ApiTags('signed-tickets')
@ServedTo('network')
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
      'Stores a signed ticket. Until it expires, requests for `/images/{ticket-id}` of its transfer ticket ' +
      'need no session and no header. A ticket that is stored already is renewed. The signature is the ' +
      'authorisation.',
    security: [],
  })
  @ApiConsumes('text/plain')
  @ApiBody(signedTicketBody)
  @ApiResponse({ status: 200, description: 'The ticket is stored.' })
  @refusal(400, 'The body is shorter than promised.', 'Request body is shorter than promised')
  @notVerified
  @bodyTooSlow
  @bodyTooLarge
  @codedBody
  @tooManyFailures
  @headRefusals
  @unavailable
  async putSignedTicket(
    @Body() body: Buffer | string | undefined,
    @Req() request: FastifyRequest,
    @RequestLog() { logFields }: RequestLog,
  ): Promise<void> {
    const grant = this.#verify(body, request);
    logFields['transfer_id'] = transferName(grant);
    await this.grants.put(grant);
  }

  @Put(':id')
  @BytesRequestBody()
  @HttpCode(200)
  @ApiOperation({
    operationId: 'putSignedTicketById',
    summary: 'Store a signed ticket under its id',
    description:
      'The same as without the id, which must be the id of the transfer ticket in the signed ticket.',
    security: [],
  })
  @ApiParam(ticketIdParam)
  @ApiConsumes('text/plain')
  @ApiBody(signedTicketBody)
  @ApiResponse({ status: 200, description: 'The ticket is stored.' })
  @refusal(
    400,
    'The signed ticket is of another transfer ticket, or the body is shorter than promised.',
    'Ticket id in the path must match the signed ticket',
  )
  @notVerified
  @bodyTooSlow
  @bodyTooLarge
  @codedBody
  @tooManyFailures
  @headRefusals
  @unavailable
  async putSignedTicketById(
    @Param('id') id: string,
    @Body() body: Buffer | string | undefined,
    @Req() request: FastifyRequest,
    @RequestLog() { logFields }: RequestLog,
  ): Promise<void> {
    const grant = this.#verify(body, request);
    logFields['transfer_id'] = transferName(grant);
    // With an empty id the request is `PUT /tickets/`, which routers take for this route.
    if (id !== '' && grant.transferTicketId !== id) {
      throw new InvalidRequestError('Ticket id in the path must match the signed ticket');
    }
    await this.grants.put(grant);
  }

  @Delete()
  @HttpCode(204)
  @ApiExcludeEndpoint()
  deleteSignedTicketWithoutId(): never {
    throw new InvalidRequestError('Ticket id is required');
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'deleteSignedTicket',
    summary: 'Remove a signed ticket',
    description:
      'Removes a stored grant. Requests that are being relayed under it are cut off. Knowing the id is ' +
      'the permission.',
    security: [],
  })
  @ApiParam(ticketIdParam)
  @ApiResponse({ status: 204, description: 'The ticket is removed.' })
  @refusal(400, 'The id is missing, too long or not percent-encoded UTF-8.', 'Ticket id is required')
  @refusal(404, 'There is no such ticket, or it has expired.', 'No such ticket')
  @tooManyFailures
  @headRefusals
  @unavailable
  async deleteSignedTicket(
    @Param('id') id: string,
    @Req() request: FastifyRequest,
    @RequestLog() { logFields }: RequestLog,
  ): Promise<void> {
    if (id === '') throw new InvalidRequestError('Ticket id is required');
    const { credentials } = this;
    await endHeld(this.grants, id, { credentials, request, logFields, missing: 'No such ticket' });
  }

  /**
   * The same judgement as for sessions, told as 403: here the ticket is what is put,
   * not a credential that is shown.
   */
  #verify(body: Buffer | string | undefined, request: FastifyRequest): Grant {
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
