import { Req, RequestMapping, RequestMethod, Res, type Type } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** A route of a controller that is made from a table. */
export interface AddedRoute {
  /** Of the method that answers, and so of the operation in the contract. */
  readonly name: string;
  readonly method: keyof typeof RequestMethod;
  /** Below the path of the controller, in the router's notation. */
  readonly path: string;
  /** What else would be written above the method, such as its description in the contract. */
  readonly decorator: MethodDecorator;
}

/** Answers a request with the controller that the application has made. */
export type RouteAnswer<C> = (
  controller: C,
  request: FastifyRequest,
  reply: FastifyReply,
) => void | Promise<void>;

/**
 * Gives a controller a method that answers a route, as if it had been written in the class with its
 * decorators. `ServedTo` covers the methods that are there when it is applied, so it comes after the last.
 */
export function addRoute<C extends object>(
  controller: Type<C>,
  { name, method, path, decorator }: AddedRoute,
  answer: RouteAnswer<C>,
): void {
  const prototype = controller.prototype as object;
  if (Object.hasOwn(prototype, name)) throw new Error(`${controller.name} has two routes called ${name}`);
  const value = async function (this: C, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    await answer(this, request, reply);
  };
  // The contract takes the name of the operation from it.
  Object.defineProperty(value, 'name', { value: name });
  const descriptor = { configurable: true, writable: true, value };
  Object.defineProperty(prototype, name, descriptor);
  RequestMapping({ method: RequestMethod[method], path })(prototype, name, descriptor);
  Req()(prototype, name, 0);
  Res()(prototype, name, 1);
  decorator(prototype, name, descriptor);
}
