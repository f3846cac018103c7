/** What the engine refuses; without a reason it has no body, as for what is not there. */
export class ApiFault extends Error {
  constructor(
    readonly status: number,
    readonly reason: string | undefined,
    readonly detail: string | undefined,
  ) {
    super(detail ?? `status ${status}`);
  }
}
