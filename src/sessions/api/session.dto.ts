import { ApiProperty, ApiSchema } from '../../contract/decorators.js';
import type { Session } from '../session.js';

/** Answer to `POST /sessions/`. */
@ApiSchema({ name: 'Session', description: 'A session that authorises requests for one image.' })
export class SessionDto {
  @ApiProperty({
    format: 'uuid',
    description:
      'Id of the session, the same as in the `Session-Id` response header. It is a secret: whoever has it ' +
      'may transfer.',
    example: '0e7b1d1c-7f6e-4f3a-9d0b-0f8f6a2f6c55',
  })
  readonly session_id: string;

  @ApiProperty({
    type: 'integer',
    format: 'int64',
    minimum: 0,
    maximum: 253_402_300_799,
    description:
      'When the session ends unless it is renewed, in seconds since 1970-01-01 UTC: the `exp` of its ' +
      'signed ticket.',
    example: 1_893_456_000,
  })
  readonly expires: number;

  constructor(session: Session) {
    this.session_id = session.id;
    this.expires = session.grant.expiresUnixSeconds;
  }
}
