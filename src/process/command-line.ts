import { parseArgs } from 'node:util';

import { defaultConfDir } from '../config/default-conf-dir.js';
import { roles, type Role } from '../config/role.js';

/** What the command line asks for. */
export type CommandLine =
  | {
      readonly action: 'start';
      readonly role: Role;
      readonly confDir: string;
      /** JSON files of tickets to install before the service is ready. */
      readonly ticketFiles: readonly string[];
    }
  | { readonly action: 'show-config'; readonly role: Role; readonly confDir: string }
  | { readonly action: 'version' }
  | { readonly action: 'help' }
  | { readonly action: 'refuse'; readonly message: string };

export const helpText = `Usage: ovirt-imageio [options]

Moves disk images of virtual machines over HTTPS.

Options:
  -c, --conf-dir DIR       read the configuration in DIR/conf.d/*.conf
                           (default ${defaultConfDir})
      --role daemon|proxy  serve the images of this host, or relay to the
                           daemons of other hosts (default daemon)
  -t, --ticket FILE        install the ticket in the JSON file FILE at start;
                           may be given several times
      --show-config        print the configuration as JSON and exit
      --version            print the version and exit
  -h, --help               print this text and exit
`;

/** @param args the command line without the program, `process.argv.slice(2)` */
export function parseCommandLine(args: readonly string[]): CommandLine {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        'conf-dir': { type: 'string', short: 'c', default: defaultConfDir },
        role: { type: 'string', default: 'daemon' },
        ticket: { type: 'string', short: 't', multiple: true, default: [] },
        'show-config': { type: 'boolean', default: false },
        version: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }));
  } catch (error: unknown) {
    // The only errors that parseArgs has for a valid option table: what the user typed does not fit it.
    if (!(error instanceof TypeError)) throw error;
    return refuse(error.message);
  }
  if (values.help) return { action: 'help' };
  if (values.version) return { action: 'version' };

  const confDir = values['conf-dir'];
  if (confDir === '') return refuse('--conf-dir is empty');
  if (values.ticket.includes('')) return refuse('--ticket is empty');
  const role = roles.find((known) => known === values.role);
  if (role === undefined) {
    return refuse(`--role is ${JSON.stringify(values.role)}, expected ${roles.join(' or ')}`);
  }
  if (values['show-config']) return { action: 'show-config', role, confDir };
  return { action: 'start', role, confDir, ticketFiles: values.ticket };
}

function refuse(message: string): CommandLine {
  return { action: 'refuse', message: `ovirt-imageio: ${message}\nTry 'ovirt-imageio --help'.` };
}
