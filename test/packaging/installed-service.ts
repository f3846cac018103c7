import { Pki } from '../support/pki.js';
import { connectOptions, parseAddress } from '../support/address.js';
import { writeConfiguration } from '../support/configuration.js';
import { exchange, type Answer } from '../support/exchange.js';
import { Program } from '../support/program.js';
import type { TemporaryFolder } from '../support/temporary-folder.js';

export interface InstalledProgram {
  readonly command: string;
  /** Arguments before those of the service. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** Runs an installed daemon with keys and sockets in `folder`, asks it who it is and stops it. */
export async function askInstalledDaemon(
  { command, args, env }: InstalledProgram,
  folder: TemporaryFolder,
): Promise<{ readonly answer: Answer; readonly exitCode: number | null }> {
  const pki = await Pki.create(folder.file('pki'));
  const { keyFile, certFile } = await pki.issueHost('daemon');
  await writeConfiguration(folder.file('etc'), {
    tls: { key_file: keyFile, cert_file: certFile },
    daemon: { drop_privileges: false, systemd_enable: false, run_dir: folder.path },
    remote: { host: '127.0.0.1', port: 0 },
    local: { socket: folder.file('local.sock') },
    control: { socket: folder.file('control.sock') },
  });
  const program = await Program.start(command, [...args, '-c', folder.file('etc')], { env });
  try {
    const url = await program.waitForLine(remoteAddress, 'it is ready for requests');
    const options = {
      ...connectOptions(parseAddress(url, pki.caPem)),
      path: '/info/',
      agent: false as const,
    };
    const answer = await exchange({ tls: true, options });
    return { answer, exitCode: (await program.stop()).code };
  } finally {
    if (!program.hasExited) await program.kill();
  }
}

function remoteAddress(line: string): string | undefined {
  return /"name":"remote","address":"([^"]+)"/.exec(line)?.[1];
}
