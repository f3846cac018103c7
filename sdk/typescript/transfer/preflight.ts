import type { Finding, Preflight, ReadableDisk, WritableDisk } from './disk.js';

/** Something that was found before a transfer makes it fail, so it was not begun. */
export class PreflightError extends Error {
  constructor(
    /** Of severity `error`. */
    readonly findings: readonly Finding[],
  ) {
    const words = findings.map(({ message, advice }) => `${message}. ${advice}`);
    super(`The transfer would fail: ${words.join('\n')}`);
    this.name = 'PreflightError';
  }
}

export interface PreflightQuestion {
  readonly source: ReadableDisk;
  readonly target: WritableDisk;
  readonly signal: AbortSignal;
  /** Asks a disk, again where that fails for a reason that passes. */
  readonly ask: <T>(work: () => Promise<T>) => Promise<T>;
}

/**
 * What is to be said of a transfer before it: by both disks in their words, and of the room that its data
 * needs.
 * @throws PreflightError when it would fail
 */
export async function findingsBefore(question: PreflightQuestion): Promise<readonly Finding[]> {
  const { source, target, signal, ask } = question;
  const { sizeBytes } = source;
  const ofSource = await ask(async () => source.preflight?.({ op: 'read', sizeBytes }, signal));
  const ofTarget = await ask(async () => target.preflight?.({ op: 'write', sizeBytes }, signal));
  const findings = [
    ...(ofSource?.findings ?? []),
    ...(ofTarget === undefined ? sizeFindings(source, target) : await withoutVainWorry(ofTarget, question)),
  ].map(softened);
  const errors = findings.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw new PreflightError(errors);
  return findings;
}

/** Of a disk that says no more than its size. */
export function sizeFindings(source: { readonly sizeBytes: number }, target: WritableDisk): Finding[] {
  if (target.growable || source.sizeBytes <= target.sizeBytes) return [];
  return [
    {
      code: 'size_exceeds_image',
      severity: 'error',
      message: `The target has ${target.sizeBytes} bytes, the source ${source.sizeBytes}`,
      advice: 'Use a target that is at least as large.',
    },
  ];
}

/** It takes as many connections as it can, and ours is one of them: the image was opened before. */
function softened(finding: Finding): Finding {
  return finding.code === 'storage_silent' ? { ...finding, severity: 'warning' } : finding;
}

/**
 * A target that has no room for all of the disk may have it for its data. Zeroes need none where the target
 * has zeroes already, or lets go of what it has; that a target of the second kind only warns is its way to
 * say so.
 */
async function withoutVainWorry(
  { findings, allocatedBytes = 0, freeBytes, readsAsZero }: Preflight,
  { source, signal, ask }: PreflightQuestion,
): Promise<readonly Finding[]> {
  const worry = findings.find(({ code }) => code === 'no_space');
  if (worry === undefined || freeBytes === undefined) return findings;
  const zeroesNeedRoom = worry.severity === 'error' && readsAsZero !== true;
  if (zeroesNeedRoom) return findings;
  const others = findings.filter((finding) => finding !== worry);
  const neededBytes = Math.max(0, (await ask(() => dataBytes(source, signal))) - allocatedBytes);
  if (neededBytes <= freeBytes) return others;
  const message = `The data needs ${neededBytes} more bytes, the storage has ${freeBytes} free`;
  return [...others, { ...worry, severity: 'error', message, advice: 'Make room on the storage.' }];
}

async function dataBytes(disk: ReadableDisk, signal: AbortSignal): Promise<number> {
  let bytes = 0;
  for await (const { lengthBytes, zero } of disk.extents(signal)) if (!zero) bytes += lengthBytes;
  return bytes;
}
