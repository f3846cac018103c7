import {
  Controller,
  Inject,
  Get,
  Head,
  HttpCode,
  Options,
  Param,
  Patch,
  Post,
  Put,
  Req,
  Res,
  type Type,
} from '@nestjs/common';
import { ApiExcludeEndpoint, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import * as contract from '../../contract/image-operations.js';
import { InvalidRequestError } from '../../base/errors.js';
import { ServedTo } from '../../framework/audience.js';
import type { Audience } from '../../wire/audience.js';
import type { SubResource } from '../access/image-request.js';
import { proxyAccess } from './relay.contract.js';
import { hijack } from '../../framework/hijack.js';
import { LOGGER, type Logger } from '../../log/logger.js';
import { allowedMethods, RelayedImages } from '../relayed-images.js';

const subResources = [':id/extents', ':id/checksum', ':id/checksum/algorithms'];

/**
 * The images API of the proxy (docs/protocol.md, "Relaying"): every request goes to the daemon that has the
 * image. What a method means there, the daemon decides.
 * @param audience who is relayed: everybody at a proxy, those with a ticket for another daemon at a daemon
 */
export function relayController(audience: Audience): Type {
  @ApiTags(contract.imagesTag)
  @ServedTo(audience)
  @Controller('images')
  class RelayController {
    constructor(
      readonly images: RelayedImages,
      @Inject(LOGGER) readonly logger: Logger,
    ) {}

    async answer(request: FastifyRequest, reply: FastifyReply, id: string, subResource: SubResource) {
      await hijack(request, reply, this.logger, (exchange) => this.images.answer(exchange, id, subResource));
    }

    @Options(':id')
    @contract.ImageOptions(proxyAccess)
    async options(@Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
      await this.answer(request, reply, id, '');
    }

    @Get(':id')
    @contract.ReadImage(proxyAccess)
    async read(@Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
      await this.answer(request, reply, id, '');
    }

    @Head(':id')
    @contract.HeadImage(proxyAccess)
    async head(@Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
      await this.answer(request, reply, id, '');
    }

    @Put(':id')
    @contract.WriteImage(proxyAccess)
    async write(@Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
      await this.answer(request, reply, id, '');
    }

    @Patch(':id')
    @HttpCode(200)
    @contract.PatchImage(proxyAccess)
    async patch(@Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
      await this.answer(request, reply, id, '');
    }

    @Post(':id')
    @ApiExcludeEndpoint()
    async post(@Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
      await this.answer(request, reply, id, '');
    }

    @Get(':id/extents')
    @contract.ListExtents(proxyAccess)
    async extents(@Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
      await this.answer(request, reply, id, '/extents');
    }

    @Get(':id/checksum')
    @contract.GetChecksum(proxyAccess)
    async checksum(@Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
      await this.answer(request, reply, id, '/checksum');
    }

    @Get(':id/checksum/algorithms')
    @contract.ListChecksumAlgorithms(proxyAccess)
    async checksumAlgorithms(
      @Param('id') id: string,
      @Req() request: FastifyRequest,
      @Res() reply: FastifyReply,
    ) {
      await this.answer(request, reply, id, '/checksum/algorithms');
    }

    @Head(subResources)
    @ApiExcludeEndpoint()
    async headOfPart(@Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
      await this.answer(request, reply, id, subResourceOf(request));
    }

    @Put(subResources)
    @ApiExcludeEndpoint()
    async putPart(@Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
      await this.answer(request, reply, id, subResourceOf(request));
    }

    @Patch(subResources)
    @ApiExcludeEndpoint()
    async patchPart(@Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
      await this.answer(request, reply, id, subResourceOf(request));
    }

    @Post(subResources)
    @ApiExcludeEndpoint()
    async postPart(@Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
      await this.answer(request, reply, id, subResourceOf(request));
    }

    @Options(subResources)
    @ApiExcludeEndpoint()
    async optionsOfPart(@Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
      await this.answer(request, reply, id, subResourceOf(request));
    }

    /** 1.x clients ask the collection what it can do, before they have a ticket. */
    @Options()
    @HttpCode(204)
    @ApiExcludeEndpoint()
    optionsWithoutId(@Res({ passthrough: true }) reply: FastifyReply): void {
      reply.header('Allow', allowedMethods);
    }

    @Get()
    @ApiExcludeEndpoint()
    readWithoutId(): never {
      throw missingId();
    }

    @Head()
    @ApiExcludeEndpoint()
    headWithoutId(): never {
      throw missingId();
    }

    @Put()
    @ApiExcludeEndpoint()
    writeWithoutId(): never {
      throw missingId();
    }

    @Patch()
    @ApiExcludeEndpoint()
    patchWithoutId(): never {
      throw missingId();
    }

    @Post()
    @ApiExcludeEndpoint()
    postWithoutId(): never {
      throw missingId();
    }
  }
  return RelayController;
}

function missingId(): InvalidRequestError {
  return new InvalidRequestError('Ticket id is required');
}

/** What the route has after the id. */
function subResourceOf({ routeOptions }: FastifyRequest): SubResource {
  return (routeOptions.url ?? '').replace(/^.*:id/, '') as SubResource;
}
