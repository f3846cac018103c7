import { readPrivate, removePrivate, replacePrivate } from '../private-file.js';

/** What a later run has to know of what an earlier one began at the engine. */
export interface TransferRecord {
  readonly version: 1;
  /** Of which command it is: nobody else may go on with it. */
  readonly purpose: string;
  readonly diskId: string;
  /** Undefined until the engine has one. */
  readonly transferId?: string;
  /** All is moved, and verified where that was asked for. */
  readonly isMoved?: boolean;
}

/** A record in a file that only its owner can read. */
export class RecordFile {
  constructor(
    private readonly path: string,
    private readonly purpose: string,
  ) {}

  /** @throws Error when there is something else in the file */
  async load(): Promise<TransferRecord | undefined> {
    const text = await readPrivate(this.path);
    if (text === undefined) return undefined;
    const record = JSON.parse(text) as Partial<TransferRecord>;
    if (record.version !== 1 || typeof record.diskId !== 'string' || record.purpose !== this.purpose)
      throw new Error(`${this.path} is of another command`);
    return record as TransferRecord;
  }

  async save(record: Omit<TransferRecord, 'version' | 'purpose'>): Promise<void> {
    const whole: TransferRecord = { ...record, version: 1, purpose: this.purpose };
    await replacePrivate(this.path, JSON.stringify(whole));
  }

  async remove(): Promise<void> {
    await removePrivate(this.path);
  }
}
