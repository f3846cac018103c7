/** Sees an upload on its way to storage, so that digests of its blocks can be kept. */
export interface BlockRecorder {
  /**
   * To be called for each piece in order, in the same turn in which it is given to storage.
   * @param written resolves with whether all of the piece is in storage, and nothing newer; never
   *   rejects
   * @returns what to wait for before `data` is changed; never rejects
   */
  add(data: Uint8Array, offsetBytes: number, written: Promise<boolean>): Promise<void>;

  /** All that can be kept is kept. */
  settled(): Promise<void>;

  /** No more pieces come. Resolves when nothing uses memory of the upload any more. */
  end(): Promise<void>;
}
