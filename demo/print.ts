import { demoFiles, type Chapter } from './commands.js';

export interface DemoAddresses {
  readonly folder: string;
  readonly daemonUrl: string;
  readonly proxyUrl: string;
  readonly page: { readonly link: string };
}

/** Prints the tour for a person to paste line by line. */
export function printTour(
  chapters: readonly Chapter[],
  { folder, daemonUrl, proxyUrl, page }: DemoAddresses,
): void {
  const lines = [
    '',
    `Upload ${demoFiles.image} of ${folder} in the browser, with one click:`,
    page.link,
    '',
    `Daemon  ${daemonUrl}   API: ${daemonUrl}/docs`,
    `Proxy   ${proxyUrl}   API: ${proxyUrl}/docs`,
    '(the certificates are throw-away ones: a browser warns once)',
    '',
    'Paste these in another terminal, in order, beginning with',
    `  cd ${quoted(folder)}`,
  ];
  for (const { title, commands } of chapters) {
    lines.push('', `== ${title}`);
    for (const command of commands) {
      const expectation =
        command.exitCode === undefined ? '' : ` (meant to end with exit code ${command.exitCode})`;
      lines.push('', `# ${command.title}${expectation}`, command.line);
    }
  }
  lines.push('', 'Ctrl-C ends daemon and proxy and removes the folder.');
  console.log(lines.join('\n'));
}

function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
