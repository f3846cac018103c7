import { Controller, Get, Module } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProperty, ApiSchema, ApiTags } from '../contract/decorators.js';
import { ServedTo } from './audience.js';
import { headRefusals, stopping } from '../contract/refusals.js';
import { version } from '../base/version.js';

@ApiSchema({ name: 'ServiceInfo', description: 'What service this is.' })
export class InfoDto {
  @ApiProperty({
    description: 'Version of the service (semantic versioning).',
    maxLength: 100,
    example: '1.2.3',
  })
  version!: string;
}

/**
 * Says that the service is there and which one it is; the administration portal asks before it starts a
 * transfer.
 */
@ApiTags('info')
@ServedTo('network')
@Controller('info')
export class InfoController {
  @Get()
  @ApiOperation({
    operationId: 'getInfo',
    summary: 'Version of the service',
    description: 'Needs no credential: tells a client that the service is there and can be reached.',
    security: [],
  })
  @ApiOkResponse({ description: 'The service is there.', type: InfoDto })
  @headRefusals
  @stopping
  info(): InfoDto {
    return { version };
  }
}

/** For both roles. */
@Module({ controllers: [InfoController] })
export class InfoModule {}
