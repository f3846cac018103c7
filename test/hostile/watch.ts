import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { askMonitoring } from '../e2e/monitoring.js';
import { within } from '../support/deadline.js';
import type { Service } from '../support/processes.js';

const healthPauseMilliseconds = 500;
const healthDeadlineMs = 10_000;

/** How a service looked from outside while it was attacked. */
export interface WatchReport {
  readonly role: string;
  readonly residentBytesMax: number;
  readonly healthChecks: number;
  /** Answers of `/health/live` and `/health/ready` that were not 200, or none. */
  readonly unhealthy: readonly string[];
  readonly slowestHealthMilliseconds: number;
  readonly logBytes: number;
}

/** Asks for the service's health, as a balancer does, until the signal aborts. */
export async function watch(service: Service, signal: AbortSignal): Promise<WatchReport> {
  const logBytesBefore = service.logText.length;
  const unhealthy: string[] = [];
  let healthChecks = 0;
  let slowestHealthMilliseconds = 0;
  while (!signal.aborted) {
    for (const path of ['/health/live', '/health/ready']) {
      const startedAt = performance.now();
      const outcome = await healthOf(service, path);
      slowestHealthMilliseconds = Math.max(slowestHealthMilliseconds, performance.now() - startedAt);
      healthChecks += 1;
      if (outcome !== '200') unhealthy.push(`${path}: ${outcome}`);
    }
    await delay(healthPauseMilliseconds);
  }
  return {
    role: service.role,
    residentBytesMax: service.program.residentBytesMax,
    healthChecks,
    unhealthy,
    slowestHealthMilliseconds,
    logBytes: service.logText.length - logBytesBefore,
  };
}

async function healthOf(service: Service, path: string): Promise<string> {
  try {
    const { status, text } = await within(askMonitoring(service, path), path, {
      deadlineMs: healthDeadlineMs,
    });
    return status === 200 ? '200' : `${status} ${text.slice(0, 200)}`;
  } catch (error: unknown) {
    return String(error);
  }
}

/** How many descriptors the service has open. */
export function descriptorsOf(service: Service): number {
  return readdirSync(`/proc/${service.program.pid}/fd`).length;
}
