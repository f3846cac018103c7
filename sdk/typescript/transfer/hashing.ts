/** Hashes data, best in another thread. */
export interface Hasher {
  /** As the service calls it. */
  readonly algorithm: string;
  readonly digestBytes: number;
  /** `data` is the caller's again when it resolves. */
  digest(data: Uint8Array): Promise<Uint8Array>;
}

/** SHA-256 of the platform, which browsers and Node do off the main thread. */
export const sha256: Hasher = {
  algorithm: 'sha256',
  digestBytes: 32,
  async digest(data) {
    // Memory that threads share is not taken.
    const own = data.buffer instanceof ArrayBuffer ? (data as Uint8Array<ArrayBuffer>) : data.slice();
    return new Uint8Array(await crypto.subtle.digest('SHA-256', own));
  },
};

export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}
