import type { Section } from './section.js';
import { backendFileSection, type BackendFileConfig } from './sections/backend-file.js';
import { backendHttpSection, type BackendHttpConfig } from './sections/backend-http.js';
import { backendNbdSection } from './sections/backend-nbd.js';
import { controlSection, type ControlConfig } from './sections/control.js';
import { daemonSection, type DaemonConfig } from './sections/daemon.js';
import { docsSection, type DocsConfig } from './sections/docs.js';
import { limitsSection, type LimitsConfig } from './sections/limits.js';
import { localSection, type LocalConfig } from './sections/local.js';
import { loggingSection, type LoggingConfig } from './sections/logging.js';
import { metricsSection, type MetricsConfig } from './sections/metrics.js';
import { profileSection } from './sections/profile.js';
import { proxySection, type ProxyConfig } from './sections/proxy.js';
import { remoteSection, type RemoteConfig } from './sections/remote.js';
import { tlsSection, type TlsConfig } from './sections/tls.js';
import { transferPageSection, type TransferPageConfig } from './sections/transfer-page.js';

/** The whole configuration, validated and frozen. What each option means is written in its section's file. */
export interface Config {
  readonly daemon: DaemonConfig;
  readonly tls: TlsConfig;
  readonly backendFile: BackendFileConfig;
  readonly backendHttp: BackendHttpConfig;
  readonly remote: RemoteConfig;
  readonly local: LocalConfig;
  readonly control: ControlConfig;
  readonly proxy: ProxyConfig;
  readonly docs: DocsConfig;
  readonly transferPage: TransferPageConfig;
  readonly metrics: MetricsConfig;
  readonly logging: LoggingConfig;
  readonly limits: LimitsConfig;
}

export const configSections = {
  daemon: daemonSection,
  tls: tlsSection,
  backendFile: backendFileSection,
  backendHttp: backendHttpSection,
  remote: remoteSection,
  local: localSection,
  control: controlSection,
  proxy: proxySection,
  docs: docsSection,
  transferPage: transferPageSection,
  metrics: metricsSection,
  logging: loggingSection,
  limits: limitsSection,
} satisfies Readonly<Record<keyof Config, Section>>;

/** Sections that files may have, and all whose options are ignored. */
export const ignoredSections: readonly Section[] = [backendNbdSection, profileSection];
