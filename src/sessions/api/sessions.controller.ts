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
import { ApiOperation, ApiParam, ApiResponse, ApiSecurity, ApiTags } from '../../contract/decorators.js';
import { ServedTo } from '../../framework/audience.js';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Credentials } from '../credentials.js';
import { endHeld } from './end-held.js';
import { headRefusals, refusal, stopping, tooManyFailures } from '../../contract/refusals.js';
import { ticketIdCharactersMax } from '../../contract/schemas.js';
import { sessionHeader, signedTicket } from '../../contract/security.js';
import { SessionDto } from './session.dto.js';
import { RequestLog } from '../../framework/request-log.decorator.js';
import { SESSION_STORE, type SessionStore } from '../stores/session.store.js';
import { transferName } from '../grant.js';

const unavailable = refusal(
  503,
  'There are as many sessions as this proxy takes, the store that proxies share is away, or the proxy is ' +
    'stopping; `Retry-After` says when to try again.',
  'The limit of 10000 sessions is reached',
);

const idParameter = ApiParam({
  name: 'id',
  description: 'Id of the session. It is a secret.',
  schema: { type: 'string', minLength: 1, maxLength: ticketIdCharactersMax },
  example: '0e7b1d1c-7f6e-4f3a-9d0b-0f8f6a2f6c55',
});

const allow = (example: string) =>
  ({
    Allow: {
      description: 'The methods, separated by commas.',
      required: true,
      schema: { type: 'string', example },
    },
  }) as const;

@ApiTags('sessions')
@ServedTo('network')
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
      'Opens a session for a signed ticket. Requests for `/images/{ticket-id}` are then authorised by the ' +
      'session id, in the `Session-Id` header or, where a browser follows a link, in the `session_id` ' +
      'query parameter. With the `Session-Id` of a live session of the same transfer ticket, that session ' +
      'goes on with the new ticket under the same id; with any other id, a new session is opened. A ' +
      'session ends when its ticket expires or when it is deleted. A signed ticket may open several ' +
      'sessions, and further ones after a deletion, as long as it is valid. Of too many for one transfer ' +
      'ticket the oldest end, those first that are not in use.',
  })
  // A signed ticket opens a session, both together renew one, a live session alone is answered as it is.
  @ApiSecurity({ [signedTicket]: [], [sessionHeader]: [] })
  @ApiSecurity(sessionHeader)
  @ApiSecurity(signedTicket)
  @ApiResponse({
    status: 200,
    description: 'The session is open.',
    type: SessionDto,
    headers: {
      'Session-Id': {
        description: 'Id of the session.',
        required: true,
        schema: { type: 'string', format: 'uuid' },
        example: '0e7b1d1c-7f6e-4f3a-9d0b-0f8f6a2f6c55',
      },
      'Cache-Control': {
        description: 'Always `no-store`: the answer is a secret.',
        required: true,
        schema: { type: 'string', enum: ['no-store'] },
      },
    },
  })
  @refusal(
    401,
    'No signed ticket was shown, and no live session; or the ticket does not verify, and why.',
    'Signed ticket: has expired',
  )
  @tooManyFailures
  @headRefusals
  @unavailable
  async openSession(
    @Headers('authorization') authorization: string | undefined,
    @Headers('session-id') sessionIdHeader: string | undefined,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @RequestLog() { logFields }: RequestLog,
  ): Promise<SessionDto> {
    const session = await this.credentials.openSession({
      authorization,
      sessionIdHeader,
      clientAddress: request.raw.socket.remoteAddress,
    });
    logFields['transfer_id'] = transferName(session.grant);
    reply.header('Session-Id', session.id).header('Cache-Control', 'no-store');
    return new SessionDto(session);
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'deleteSession',
    summary: 'End a session',
    description:
      'Ends a session. Requests that are being relayed for it are cut off. Knowing the id is the permission.',
    security: [],
  })
  @idParameter
  @ApiResponse({ status: 204, description: 'The session has ended.' })
  @refusal(400, 'The id is too long or not percent-encoded UTF-8.', 'Invalid path')
  @refusal(404, 'There is no such session, or it has ended before.', 'No such session')
  @tooManyFailures
  @headRefusals
  @unavailable
  async deleteSession(
    @Param('id') id: string,
    @Req() request: FastifyRequest,
    @RequestLog() { logFields }: RequestLog,
  ): Promise<void> {
    const { credentials } = this;
    await endHeld(this.sessions, id, { credentials, request, logFields, missing: 'No such session' });
  }

  @Options()
  @HttpCode(204)
  @ApiOperation({
    operationId: 'getSessionsOptions',
    summary: 'Ask which methods sessions have',
    description: 'Answered without authorisation: browsers and 1.x clients ask before they show a ticket.',
    security: [],
  })
  @ApiResponse({
    status: 204,
    description: 'The methods are in `Allow`.',
    headers: allow('OPTIONS,POST'),
  })
  @headRefusals
  @stopping
  sessionsOptions(@Res({ passthrough: true }) reply: FastifyReply): void {
    reply.header('Allow', 'OPTIONS,POST');
  }

  @Options(':id')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'getSessionOptions',
    summary: 'Ask which methods a session has',
    description: 'Answered without authorisation, and alike for sessions that exist and those that do not.',
    security: [],
  })
  @idParameter
  @refusal(400, 'The id is too long or not percent-encoded UTF-8.', 'Invalid path')
  @ApiResponse({
    status: 204,
    description: 'The methods are in `Allow`.',
    headers: allow('OPTIONS,DELETE'),
  })
  @headRefusals
  @stopping
  sessionOptions(@Res({ passthrough: true }) reply: FastifyReply): void {
    reply.header('Allow', 'OPTIONS,DELETE');
  }
}
