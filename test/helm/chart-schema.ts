import type { OptionDescription } from '../../src/config/describe-options.js';
import type { Role } from '../../src/config/role.js';

type Schema = Readonly<Record<string, unknown>>;

/**
 * Options that the chart sets itself, from values that other objects depend on as well.
 * `*` is the whole section.
 */
const ownedByChart: Readonly<Record<Role, readonly string[]>> = {
  daemon: [
    'daemon.run_dir',
    'daemon.drop_privileges',
    'daemon.user_name',
    'daemon.group_name',
    'daemon.systemd_enable',
    'tls.enable',
    'tls.key_file',
    'tls.cert_file',
    'remote.*',
    'metrics.*',
    'limits.grace_sec',
    'control.enable',
    'control.transport',
    'control.socket',
    'control.port',
    'control.prefer_ipv4',
    'proxy.*',
  ],
  proxy: [
    'daemon.run_dir',
    'daemon.drop_privileges',
    'daemon.user_name',
    'daemon.group_name',
    'daemon.systemd_enable',
    'tls.enable',
    'tls.key_file',
    'tls.cert_file',
    'remote.*',
    'metrics.*',
    'limits.grace_sec',
    'control.*',
    'local.*',
    'proxy.engine_cert_file',
    'proxy.engine_ca_cert_file',
    'proxy.session_store',
    'backend_http.ca_file',
    'backend_file.*',
  ],
};

/**
 * The schema of `daemon.config` or `proxy.config`: every option of the INI file but
 * those that the chart sets.
 */
export function configSchema(role: Role, options: readonly OptionDescription[]): Schema {
  const sections: Record<string, Record<string, Schema>> = {};
  for (const option of options) {
    if (option.type === 'ignored' || isOwned(role, option)) continue;
    sections[option.section] = { ...sections[option.section], [option.option]: optionSchema(role, option) };
  }
  const sectionSchemas = Object.entries(sections).map(([name, properties]) => [name, closed(properties)]);
  return closed(Object.fromEntries(sectionSchemas) as Record<string, Schema>);
}

function isOwned(role: Role, { section, option }: OptionDescription): boolean {
  return ownedByChart[role].some((name) => name === `${section}.*` || name === `${section}.${option}`);
}

function optionSchema(role: Role, { type, description, defaults, ...rules }: OptionDescription): Schema {
  const { unit, minimum, maximum, choices } = rules;
  return {
    description: unit === undefined ? description : `${description} In ${unit}.`,
    ...(choices === undefined ? { type: jsonTypes[type] } : { enum: choices }),
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
    default: defaults?.[role],
  };
}

const jsonTypes: Readonly<Record<OptionDescription['type'], string>> = {
  boolean: 'boolean',
  integer: 'integer',
  port: 'integer',
  float: 'number',
  string: 'string',
  socket: 'string',
  enum: 'string',
  ignored: 'null',
};

function closed(properties: Readonly<Record<string, Schema>>): Schema {
  return { type: 'object', properties, additionalProperties: false };
}
