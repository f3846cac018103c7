import { applyDecorators } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiParam } from '@nestjs/swagger';
import { imageRoutes, type ImageRoute } from '../../src/contract/image-routes.js';

/**
 * One more route of the images API, as `docs/development.md` says how to add one. To be imported before
 * anything that makes something of the table.
 */
export const echoRoute: ImageRoute = {
  name: 'echoWord',
  method: 'GET',
  path: '/echo',
  kind: 'options',
  contract: (access) =>
    applyDecorators(
      ApiOperation({ summary: 'Says a word again' }),
      ApiParam({ name: 'id', schema: { type: 'string' } }),
      access.anyOperation,
      ApiOkResponse({ description: 'The word.', headers: access.headers }),
    ),
  relayed: true,
  isLongWork: false,
};

(imageRoutes as unknown as ImageRoute[]).push(echoRoute);
