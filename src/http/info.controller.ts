import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProperty, ApiTags } from '@nestjs/swagger';
import { version } from '../version.js';

export class InfoDto {
  @ApiProperty({ description: 'Version of the service.', example: '1.2.3' })
  version!: string;
}

/** Says that the service is there and which one it is; the administration portal asks before it starts a transfer. */
@ApiTags('info')
@Controller('info')
export class InfoController {
  @Get()
  @ApiOperation({ operationId: 'getInfo', summary: 'Version of the service' })
  @ApiOkResponse({ description: 'The service is there', type: InfoDto })
  info(): InfoDto {
    return { version };
  }
}
