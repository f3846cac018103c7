import { Inject, Injectable } from '@nestjs/common';
import { FlattenedSign, type FlattenedJWS } from 'jose';
import { NotFoundError } from '../../base/errors.js';
import { SERVICE_KEY, type ServiceKey } from './service-key.js';
import { signingKey, type SigningKey } from './signing-key.js';

/** So that nobody takes the signature for one of something else (RFC 8725 section 3.11). */
const receiptType = 'imageio-receipt';

/** Signs receipts with the key that the service has for TLS (docs/protocol.md, "Receipts"). */
@Injectable()
export class ReceiptSigner {
  /** What was made of the newest key: each client asks whether there is one. */
  #known: { readonly tls: ServiceKey['tls']; readonly key: SigningKey | undefined } | undefined;

  constructor(@Inject(SERVICE_KEY) private readonly service: ServiceKey) {}

  /** Whether there is a key that can sign. */
  get isReady(): boolean {
    return this.#key !== undefined;
  }

  /** @throws NotFoundError when there is no key, or none that can sign */
  requireKey(): SigningKey {
    const key = this.#key;
    if (key !== undefined) return key;
    const why =
      this.service.tls === undefined ? 'there is no TLS, so no key' : 'the key of the service cannot sign';
    throw new NotFoundError(`There are no receipts here: ${why}`);
  }

  /**
   * @param claims what is signed, as JSON
   * @returns JWS in its flattened JSON form (RFC 7515 section 7.2.2)
   * @throws NotFoundError, see `requireKey`
   */
  async sign(claims: object): Promise<FlattenedJWS> {
    const { key, algorithm, certificates } = this.requireKey();
    const header = { alg: algorithm, typ: receiptType, cty: 'json', x5c: [...certificates] };
    return new FlattenedSign(Buffer.from(JSON.stringify(claims))).setProtectedHeader(header).sign(key);
  }

  get #key(): SigningKey | undefined {
    const { tls } = this.service;
    if (this.#known === undefined || this.#known.tls !== tls)
      this.#known = { tls, key: tls === undefined ? undefined : signingKey(tls) };
    return this.#known.key;
  }
}
