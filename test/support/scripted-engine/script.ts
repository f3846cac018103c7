/** How the engine behaves; may be changed at any time. */
export interface EngineScript {
  /** How often it tells that a disk is being made before it is. */
  lockedPolls: number;
  /** How often it tells each phase that passes by itself, e.g. `initializing`. */
  passingPolls: number;
  /** The phase in which a transfer fails. */
  failsWhile: 'initializing' | 'finalizing_success' | undefined;
  /** A disk that is made turns out illegal. */
  makesIllegalDisks: boolean;
  /** What is made there is made, and the answer is lost, so many times. */
  losesAnswers: { readonly collection: 'disks' | 'imagetransfers'; times: number } | undefined;
  /** As engines before 4.4.7: a transfer that is over is not there any more. */
  forgetsTransfers: boolean;
  /** Told as `transfer_url` instead of where the daemon is. */
  transferOrigin: string | undefined;
  /** Told as `proxy_url` instead of where the proxy is. */
  proxyOrigin: string | undefined;
  /** After so many requests with a token it has expired. */
  tokenRequests: number;
  /** After so long without a request a transfer is said to be paused. */
  inactivitySeconds: number;
  /** The hardware id of the host that has the transfers. */
  hostHardwareId: string;
}

export const obedient: EngineScript = {
  lockedPolls: 1,
  passingPolls: 1,
  failsWhile: undefined,
  makesIllegalDisks: false,
  losesAnswers: undefined,
  forgetsTransfers: false,
  transferOrigin: undefined,
  proxyOrigin: undefined,
  tokenRequests: Infinity,
  inactivitySeconds: 60,
  hostHardwareId: '4c4c4544-0000-1010-8030-000000000001',
};
