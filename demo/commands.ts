/** One command for a person to paste, and for the check to run. */
export interface Command {
  /** What it shows. */
  readonly title: string;
  readonly line: string;
  /** The exit code that is right; 0 when absent. */
  readonly exitCode?: number;
}

export interface Chapter {
  readonly title: string;
  readonly commands: readonly Command[];
}

/** A transfer that is prepared: ticket installed, signed ticket in a file. Files are in the demo's folder. */
export interface Transfer {
  readonly ticketId: string;
  /** The image behind an upload ticket. */
  readonly targetFile: string;
}

export interface DemoParties {
  /** `https://localhost:PORT`, without a slash at the end. */
  readonly daemonUrl: string;
  readonly proxyUrl: string;
  /** The daemon's control socket: absolute, or relative to the folder where the commands run. */
  readonly controlSocket: string;
  readonly throughProxy: { readonly upload: Transfer; readonly downloadTicketId: string };
  readonly direct: { readonly upload: Transfer; readonly downloadTicketId: string };
  /** For the page in the browser, which has the ticket in its link. */
  readonly page: { readonly upload: Transfer; readonly link: string };
  /** For the client of this project. */
  readonly client: { readonly upload: Transfer; readonly downloadTicketId: string };
}

/** Names of the files that the demo lays out for the commands. */
export const demoFiles = {
  ca: 'ca.pem',
  image: 'demo.iso',
  uploadTicket: 'upload.ticket',
  downloadTicket: 'download.ticket',
  client: 'imageio',
} as const;

/** curl's options with which a refusal fails the command and its text is still printed. */
const plainCurl = 'curl -sS --fail-with-body';
const curl = `${plainCurl} --cacert ${demoFiles.ca}`;
/**
 * Interrupts a transfer of the demo's image of 64 MiB: at this speed it takes four seconds, and it is cut
 * after two.
 */
const interrupted = '--limit-rate 16M --max-time 2';
const curlTimedOut = 28;
const curlHttpError = 22;
/** Of a program that was interrupted. */
const interruptedExit = 130;

/** The whole tour, in order: later commands use what earlier ones left in the folder. */
export function demoChapters(parties: DemoParties): Chapter[] {
  return [
    { title: 'The page in the browser', commands: pageTour(parties) },
    { title: 'With imageio, the client', commands: clientTour(parties) },
    { title: 'Through the proxy, with a signed ticket and a session', commands: proxyTour(parties) },
    { title: 'Directly at the daemon, with nothing but the ticket id', commands: daemonTour(parties) },
  ];
}

function pageTour({ proxyUrl, page }: DemoParties): Command[] {
  return [
    {
      title: 'It is there; its link is at the top, and has the ticket after the #, which is not sent',
      line: `${curl} ${proxyUrl}/transfer/ | grep -o '<title>.*</title>'`,
    },
    {
      title: 'Where the page uploads to',
      line: `ls -ls ${page.upload.targetFile}`,
    },
  ];
}

function clientTour({ daemonUrl, client }: DemoParties): Command[] {
  const { upload, downloadTicketId } = client;
  const imageio = `./${demoFiles.client}`;
  const upTo = `${daemonUrl}/images/${upload.ticketId} --cafile ${demoFiles.ca}`;
  const slowly = `${imageio} upload ${demoFiles.image} ${upTo} --limit-rate 16m`;
  return [
    {
      title: 'Upload, slowly, and interrupt it after two seconds, as Ctrl-C does',
      line: `timeout --preserve-status --signal=INT 2 ${slowly}`,
      exitCode: interruptedExit,
    },
    {
      title: 'The same again goes on where it was, and compares digests at the end',
      line: `${imageio} upload ${demoFiles.image} ${upTo} --verify`,
    },
    {
      title: 'Download, with digests compared',
      line:
        `${imageio} download ${daemonUrl}/images/${downloadTicketId} client-download.iso ` +
        `--cafile ${demoFiles.ca} --verify`,
    },
    {
      title: 'All three are the same',
      line:
        `cmp ${demoFiles.image} ${upload.targetFile} && ` +
        `cmp ${demoFiles.image} client-download.iso && echo equal`,
    },
  ];
}

function proxyTour({ proxyUrl, controlSocket, throughProxy }: DemoParties): Command[] {
  const { upload, downloadTicketId } = throughProxy;
  const uploadUrl = `${proxyUrl}/images/${upload.ticketId}`;
  const downloadUrl = `${proxyUrl}/images/${downloadTicketId}`;
  const session = '-H "Session-Id: $(cat upload.session)"';
  // A browser cannot send headers when a link is followed, so sessions can be named in the address.
  const sessionQuery = '?session_id=$(cat download.session)';
  return [
    openSession(proxyUrl, 'upload'),
    ...uploadCommands(uploadUrl, upload, controlSocket, session, 'upload.offset'),
    openSession(proxyUrl, 'download'),
    ...downloadCommands(`"${downloadUrl}${sessionQuery}"`, 'proxy-download.iso'),
    extentsCommand(`"${downloadUrl}/extents${sessionQuery}"`),
    {
      title: 'Close the download session',
      line: `${curl} -X DELETE "${proxyUrl}/sessions/$(cat download.session)"`,
    },
    {
      title: 'The session is gone: this one fails with 403',
      line: `${curl} "${downloadUrl}${sessionQuery}"`,
      exitCode: curlHttpError,
    },
    ...removeTicket(downloadTicketId, controlSocket),
  ];
}

function daemonTour({ daemonUrl, controlSocket, direct }: DemoParties): Command[] {
  const { upload, downloadTicketId } = direct;
  const downloadUrl = `${daemonUrl}/images/${downloadTicketId}`;
  return [
    ...uploadCommands(
      `${daemonUrl}/images/${upload.ticketId}`,
      upload,
      controlSocket,
      '',
      'direct-upload.offset',
    ),
    ...downloadCommands(downloadUrl, 'direct-download.iso'),
    extentsCommand(`${downloadUrl}/extents`),
    ...removeTicket(downloadTicketId, controlSocket),
    {
      title: 'The ticket is gone: this one fails with 403',
      line: `${curl} ${downloadUrl}`,
      exitCode: curlHttpError,
    },
  ];
}

function openSession(proxyUrl: string, kind: 'upload' | 'download'): Command {
  return {
    title: `Open a session with the signed ticket of the ${kind}`,
    line: [
      `${curl} -X POST -H "Authorization: $(cat ${kind}.ticket)" -D - -o /dev/null ${proxyUrl}/sessions/`,
      `tr -d '\\r'`,
      `sed -n 's/^session-id: //Ip'`,
      `grep .`,
      `tee ${kind}.session`,
    ].join(' | '),
  };
}

/** @param credentials more arguments for curl, or nothing where the ticket id is enough */
function uploadCommands(
  url: string,
  { ticketId, targetFile }: Transfer,
  controlSocket: string,
  credentials: string,
  offsetFile: string,
): Command[] {
  const request = credentials === '' ? curl : `${curl} ${credentials}`;
  const ticket = `${plainCurl} --unix-socket ${controlSocket} http://localhost/tickets/${ticketId}`;
  return [
    { title: 'What can be done with this image', line: `${request} -X OPTIONS ${url}` },
    {
      title: 'Upload, interrupted after two seconds',
      line: `${request} ${interrupted} -T ${demoFiles.image} "${url}?flush=n"`,
      exitCode: curlTimedOut,
    },
    { title: 'Progress, as the engine sees it', line: ticket },
    {
      title: 'How many bytes have arrived',
      line: `${ticket} | sed 's/.*"transferred": *\\([0-9]*\\).*/\\1/' | tee ${offsetFile}`,
    },
    {
      title: 'Resume there: curl sends Content-Range for the rest',
      line: `${request} -C "$(cat ${offsetFile})" -T ${demoFiles.image} "${url}?flush=n"`,
    },
    { title: 'Make it stable', line: `${request} -X PATCH -d '{"op":"flush"}' ${url}` },
    { title: 'Progress now', line: ticket },
    ...removeTicket(ticketId, controlSocket),
    {
      title: 'What was uploaded is what was there',
      line: `cmp ${demoFiles.image} ${targetFile} && echo equal`,
    },
  ];
}

function downloadCommands(url: string, file: string): Command[] {
  return [
    { title: 'Download', line: `${curl} ${url} -o ${file}` },
    { title: 'It is the image', line: `cmp ${demoFiles.image} ${file} && echo equal` },
    {
      title: 'Download again, interrupted after two seconds',
      line: `${curl} ${interrupted} ${url} -o resumed-${file}`,
      exitCode: curlTimedOut,
    },
    { title: 'Resume it: curl sends Range for the rest', line: `${curl} -C - ${url} -o resumed-${file}` },
    { title: 'It is the image too', line: `cmp ${demoFiles.image} resumed-${file} && echo equal` },
  ];
}

function extentsCommand(url: string): Command {
  return { title: 'Which areas are zero', line: `${curl} ${url}` };
}

function removeTicket(ticketId: string, controlSocket: string): Command[] {
  return [
    {
      title: 'Remove the ticket',
      line: `${plainCurl} -X DELETE --unix-socket ${controlSocket} http://localhost/tickets/${ticketId}`,
    },
  ];
}
