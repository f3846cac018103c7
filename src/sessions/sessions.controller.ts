import {
  Controller,
  Delete,
  Headers,
  HttpCode,
  Inject,
  Options,
  Param,
  Post,
  Req,
  Res,
} from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiParam, ApiResponse, ApiSecurity, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Credentials } from './credentials.js';
import { errorResponse } from '../http/contract.js';
import { SessionDto } from './session.dto.js';
import { SESSION_STORE, type SessionStore } from './session.store.js';
import { signedTicketSecurityName } from './signed-ticket.security.js';
import { NotFoundError } from '../errors.js';

const unavailable = errorResponse(
  503,
  'There are as many sessions as this proxy takes, the store that proxies share is away, or too many credentials from this address ' +
    'were wrong; `Retry-After` says when to try again.',
  'The limit of 10000 sessions is reached',
);

@ApiTags('sessions')
@Controller('sessions')
export class SessionsController {
  constructor(
    private readonly credentials: Credentials,
    @Inject(SESSION_STORE) private readonly sessions: SessionStore,
  ) {}

  @Post()
  @HttpCode(200)
  @ApiOperation({
    operationId: 'openSession',
    summary: 'Open or renew a session',
    description:
      'Opens a session for a signed ticket. Requests for `/images/{ticket-id}` are then authorised by the session id, in the ' +
      '`Session-Id` header or, where a browser follows a link, in the `session_id` query parameter. With the `Session-Id` of a ' +
      'live session, that session goes on with the new ticket under the same id; with an unknown one, a new session is opened. ' +
      'A session ends when its ticket expires or when it is deleted. A signed ticket may open several sessions, and further ' +
      'ones after a deletion, as long as it is valid.',
  })
  @ApiSecurity(signedTicketSecurityName)
  @ApiHeader({
    name: 'Session-Id',
    required: false,
    description: 'The session to renew.',
    schema: { type: 'string', format: 'uuid' },
  })
  @ApiResponse({
    status: 200,
    description: 'The session is open.',
    type: SessionDto,
    headers: {
      'Session-Id': {
        description: 'Id of the session.',
        schema: { type: 'string', format: 'uuid' },
        example: '0e7b1d1c-7f6e-4f3a-9d0b-0f8f6a2f6c55',
      },
      'Cache-Control': {
        description: 'Always `no-store`: the answer is a secret.',
        schema: { type: 'string' },
      },
    },
  })
  @ApiResponse(
    errorResponse(
      401,
      'No signed ticket was shown, and no live session; or the ticket does not verify, and why.',
      'Signed ticket: has expired',
    ),
  )
  @ApiResponse(unavailable)
  async openSession(
    @Headers('authorization') authorization: string | undefined,
    @Headers('session-id') sessionIdHeader: string | undefined,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<SessionDto> {
    const session = await this.credentials.openSession({
      authorization,
      sessionIdHeader,
      clientAddress: request.raw.socket.remoteAddress,
    });
    reply.header('Session-Id', session.id).header('Cache-Control', 'no-store');
    return new SessionDto(session);
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'deleteSession',
    summary: 'End a session',
    description: 'Ends a session. Requests that are being relayed for it are cut off.',
  })
  @ApiParam({ name: 'id', description: 'Id of the session.', schema: { type: 'string', format: 'uuid' } })
  @ApiResponse({ status: 204, description: 'The session has ended.' })
  @ApiResponse(errorResponse(404, 'There is no such session, or it has ended before.', 'No such session'))
  @ApiResponse(unavailable)
  async deleteSession(@Param('id') id: string, @Req() request: FastifyRequest): Promise<void> {
    if (await this.sessions.delete(id)) return;
    throw this.credentials.failure(new NotFoundError('No such session'), request.raw.socket.remoteAddress);
  }

  @Options()
  @HttpCode(204)
  @ApiOperation({
    operationId: 'sessionsOptions',
    summary: 'Ask which methods sessions have',
    description: 'Answered without authorisation: browsers and 1.x clients ask before they show a ticket.',
  })
  @ApiResponse({
    status: 204,
    description: 'The methods are in `Allow`.',
    headers: { Allow: { description: 'Methods.', schema: { type: 'string' }, example: 'OPTIONS,POST' } },
  })
  sessionsOptions(@Res({ passthrough: true }) reply: FastifyReply): void {
    reply.header('Allow', 'OPTIONS,POST');
  }

  @Options(':id')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'sessionOptions',
    summary: 'Ask which methods a session has',
    description: 'Answered without authorisation, and alike for sessions that exist and those that do not.',
  })
  @ApiParam({ name: 'id', description: 'Id of the session.', schema: { type: 'string', format: 'uuid' } })
  @ApiResponse({
    status: 204,
    description: 'The methods are in `Allow`.',
    headers: { Allow: { description: 'Methods.', schema: { type: 'string' }, example: 'OPTIONS,DELETE' } },
  })
  sessionOptions(@Res({ passthrough: true }) reply: FastifyReply): void {
    reply.header('Allow', 'OPTIONS,DELETE');
  }
}
