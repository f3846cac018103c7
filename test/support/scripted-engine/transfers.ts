import { randomUUID } from 'node:crypto';
import type { Vdsm } from '../vdsm.js';
import { storageDomain, type EngineDisk, type EngineDisks } from './disks.js';
import type { ApiDocument } from './documents.js';
import { ApiFault } from './fault.js';
import type { EngineScript } from './script.js';
import type { OpenDisk, Storage } from './storage.js';

export interface EngineTransfer {
  readonly id: string;
  readonly ticketId: string;
  readonly disk: EngineDisk;
  /** As it was asked for. */
  readonly wanted: ApiDocument;
  readonly direction: 'upload' | 'download';
  phase: string;
  /** How often the phase is still told before the next one. */
  polls: number;
  opened: OpenDisk | undefined;
}

/** Where tickets go. */
export interface ImageServices {
  readonly daemonUrl: string;
  readonly proxyUrl: string;
  readonly daemon: Vdsm;
  readonly proxy: Vdsm;
}

const ticketSeconds = 300;

const hostId = '9f2a3c51-0000-4000-8000-000000000001';

/** The host that has all transfers. */
export const host = {
  id: hostId,
  href: `/ovirt-engine/api/hosts/${hostId}`,
  name: 'host1',
  status: 'up',
} as const;

/** The image transfers that the engine has, of which tickets are at a real daemon and a real proxy. */
export class EngineTransfers {
  readonly #transfers = new Map<string, EngineTransfer>();

  constructor(
    private readonly script: EngineScript,
    private readonly disks: EngineDisks,
    private readonly storage: Storage,
    private readonly services: ImageServices,
  ) {}

  get all(): readonly EngineTransfer[] {
    return [...this.#transfers.values()];
  }

  /** @throws ApiFault */
  add(wanted: ApiDocument): EngineTransfer {
    const { disk: wantedDisk, direction = 'upload' } = wanted;
    const disk = this.disks.get(textOf(wantedDisk as ApiDocument | undefined, 'id'));
    if (disk.status !== 'ok')
      throw new ApiFault(
        409,
        'Operation Failed',
        `[Cannot transfer Virtual Disk. Disk ${disk.name} is ${disk.status}.]`,
      );
    disk.status = 'locked';
    const transfer: EngineTransfer = {
      id: randomUUID(),
      ticketId: randomUUID(),
      disk,
      wanted,
      direction: direction as 'upload' | 'download',
      phase: 'initializing',
      polls: this.script.passingPolls,
      opened: undefined,
    };
    this.#transfers.set(transfer.id, transfer);
    return transfer;
  }

  /** @throws ApiFault */
  get(id: string): EngineTransfer {
    const transfer = this.#transfers.get(id);
    if (transfer === undefined) throw new ApiFault(404, undefined, undefined);
    return transfer;
  }

  /** As `get`; time goes on for a phase that passes by itself. */
  async poll(id: string): Promise<EngineTransfer> {
    const transfer = this.get(id);
    if (transfer.polls > 0) transfer.polls -= 1;
    else await this.#pass(transfer);
    return this.get(id);
  }

  /** What a client asks to be done. @throws ApiFault in a phase in which that cannot be */
  async act(id: string, action: string): Promise<void> {
    const transfer = this.get(id);
    const { phase } = transfer;
    const isPaused = phase.startsWith('paused');
    if (action === 'extend' && phase === 'transferring') await this.#extend(transfer, ticketSeconds);
    else if (action === 'pause' && phase === 'transferring') transfer.phase = 'paused_user';
    else if (action === 'resume' && isPaused) this.#enter(transfer, 'resuming');
    else if (action === 'cancel' && !phase.startsWith('fin')) await this.#end(transfer, 'cancelled_user');
    else if (action === 'finalize' && (phase === 'transferring' || isPaused)) await this.#finalize(transfer);
    else throw new ApiFault(409, 'Operation Failed', `[Cannot ${action} a transfer that is ${phase}.]`);
  }

  /** The client was idle for too long. Its ticket ends. */
  async pauseBySystem(transfer: EngineTransfer): Promise<void> {
    transfer.phase = 'paused_system';
    await this.#extend(transfer, 0);
  }

  async #pass(transfer: EngineTransfer): Promise<void> {
    const fails = this.script.failsWhile === transfer.phase;
    switch (transfer.phase) {
      case 'initializing':
        if (fails) return this.#end(transfer, 'cancelled_system');
        await this.#open(transfer);
        transfer.phase = 'transferring';
        return;
      case 'resuming':
        await this.#extend(transfer, ticketSeconds);
        transfer.phase = 'transferring';
        return;
      case 'finalizing_success':
        if (fails) transfer.disk.status = 'illegal';
        else transfer.disk.status = 'ok';
        this.#finish(transfer, fails ? 'finished_failure' : 'finished_success');
        return;
      case 'cancelled_user':
      case 'cancelled_system':
        this.#enter(transfer, 'finalizing_cleanup');
        return;
      case 'finalizing_cleanup':
        if (transfer.direction === 'upload') await this.disks.discard(transfer.disk);
        else transfer.disk.status = 'ok';
        this.#finish(transfer, 'finished_cleanup');
        return;
      default:
    }
  }

  #enter(transfer: EngineTransfer, phase: string): void {
    transfer.phase = phase;
    transfer.polls = this.script.passingPolls;
  }

  #finish(transfer: EngineTransfer, phase: string): void {
    transfer.phase = phase;
    if (this.script.forgetsTransfers) this.#transfers.delete(transfer.id);
  }

  async #finalize(transfer: EngineTransfer): Promise<void> {
    await this.#end(transfer, 'finalizing_success');
  }

  async #open(transfer: EngineTransfer): Promise<void> {
    const { ticketId, disk, direction, wanted } = transfer;
    const readOnly = direction === 'download';
    const isRaw = wanted['format'] === undefined || wanted['format'] === 'raw';
    if (!isRaw) throw new ApiFault(409, 'Operation Failed', '[Only raw transfers are scripted.]');
    transfer.opened = await this.storage.open(disk.stored, { readOnly, layer: wanted['shallow'] === 'true' });
    const { url, sizeBytes: size } = transfer.opened;
    const ticket = {
      uuid: ticketId,
      size,
      timeout: ticketSeconds,
      ops: [readOnly ? 'read' : 'write'] as const,
      transfer_id: transfer.id,
    };
    const { daemon, proxy, daemonUrl } = this.services;
    await daemon.addTicket({ ...ticket, url, sparse: true, dirty: wanted['backup'] !== undefined });
    await proxy.addTicket({ ...ticket, url: `${daemonUrl}/images/${ticketId}` });
  }

  async #end(transfer: EngineTransfer, phase: string): Promise<void> {
    if (transfer.opened !== undefined) {
      await this.services.proxy.removeTicket(transfer.ticketId);
      await this.services.daemon.removeTicket(transfer.ticketId);
      await transfer.opened.close();
      transfer.opened = undefined;
    }
    this.#enter(transfer, phase);
  }

  async #extend({ ticketId }: EngineTransfer, seconds: number): Promise<void> {
    await this.services.daemon.extendTicket(ticketId, seconds);
    await this.services.proxy.extendTicket(ticketId, seconds);
  }

  document({ id, ticketId, disk, direction, phase, wanted, opened }: EngineTransfer): ApiDocument {
    const { daemonUrl, proxyUrl } = this.services;
    const isOpen = opened !== undefined;
    return {
      id,
      href: `/ovirt-engine/api/imagetransfers/${id}`,
      active: 'false',
      direction,
      format: 'raw',
      inactivity_timeout: String(this.script.inactivitySeconds),
      phase,
      proxy_url: isOpen ? `${this.script.proxyOrigin ?? proxyUrl}/images/${ticketId}` : undefined,
      shallow: wanted['shallow'] ?? 'false',
      timeout_policy: wanted['timeout_policy'] ?? 'legacy',
      transfer_url: isOpen ? `${this.script.transferOrigin ?? daemonUrl}/images/${ticketId}` : undefined,
      disk: { id: disk.id },
      host: { id: host.id, href: host.href },
      image: { id: disk.id },
    };
  }
}

const dataCenterId = '7c6e9c0e-0000-4000-8000-000000000001';

export const dataCenter: ApiDocument = { id: dataCenterId, name: 'Default', status: 'up' };

export const domains: readonly ApiDocument[] = [
  {
    ...storageDomain,
    type: 'data',
    data_centers: { data_center: [{ id: dataCenterId }] },
  },
];

function textOf(document: ApiDocument | undefined, name: string): string {
  const value = document?.[name];
  return typeof value === 'string' ? value : '';
}
