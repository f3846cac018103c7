import type { AccessError } from './access.js';
import type { ProblemCode } from './problem.js';

/** All words of the page. Those that the service says itself are in its own language. */

/** Put into `index.html` when it is built: what is there before any script runs. */
export const staticTexts = {
  language: 'en',
  title: 'Disk transfer',
  lead: 'Upload a disk from this computer, or download one to it.',
  needsScripts: 'This page needs JavaScript, which this browser has turned off.',
  unfinished: 'Not finished',
  ticketTitle: 'Which disk?',
  ticketLabel: 'Ticket',
  ticketHint: 'Paste the signed ticket, the address of the image, or the link that you were given.',
  ticketUse: 'Continue',
  ticketFile: 'Take it from a file',
  connecting: 'Asking the service about the disk…',
  dropTitle: 'Drop a disk file here',
  dropOr: 'or',
  chooseFile: 'Choose a file',
  file: 'Disk file',
  verify: 'Compare digests at the end',
  verifyHint: 'The service reads the disk again and hashes it; what differs is found.',
  startUpload: 'Start the upload',
  goOn: 'Go on',
  startAnew: 'Start anew',
  startDownload: 'Save to a file…',
  downloadLink: 'Download with the browser',
  downloadLinkHint:
    'The browser shows the progress. It cannot pause over a restart, and nothing is compared.',
  otherDisk: 'Another disk',
  progress: 'Progress',
  moved: 'Moved',
  rate: 'Rate',
  timeLeft: 'Time left',
  skipped: 'Zeroes, not sent',
  rateOverTime: 'Rate over the last minutes',
  pause: 'Pause',
  resume: 'Go on',
  cancel: 'Cancel…',
  tryNow: 'Try now',
  cancelTitle: 'Cancel the transfer?',
  cancelWords: 'What has been moved is given up. To go on later, choose “Keep it” and then pause.',
  cancelYes: 'Cancel the transfer',
  cancelNo: 'Keep it',
  privacy:
    'The disk and the ticket go to this service and nowhere else. This page loads nothing from elsewhere.',
} as const;

export const texts = {
  goOn: staticTexts.goOn,
  forget: 'Forget',
  uploadTo: (size: string): string => `Upload to a disk of ${size}`,
  downloadOf: (size: string): string => `Download a disk of ${size}`,
  chosen: (name: string, size: string): string => `${name}, ${size}`,
  interrupted: (name: string, there: string): string =>
    `An upload of ${name} to this disk was interrupted; ${there} of it is safely there.`,
  chooseAgain: (name: string): string => `Choose ${name} again to go on.`,
  unfinishedUpload: (name: string, there: string): string => `${name}, ${there} of it uploaded`,
  uploading: (name: string): string => `Uploading ${name}`,
  downloading: (name: string): string => `Downloading ${name}`,
  thisDisk: 'the disk',
  paused: 'Paused',
  phases: {
    preparing: 'Preparing',
    transferring: 'Moving data',
    paused: 'Paused',
    flushing: 'Writing to stable storage',
    verifying: 'Comparing digests',
    done: 'Done',
    stopped: 'Stopped',
    failed: 'Failed',
  },
  percent: (percent: number): string => `${percent} %`,
  movedOf: (moved: string, size: string): string => `${moved} of ${size}`,
  perSecond: (bytes: string): string => `${bytes}/s`,
  unknown: '–',
  announced: (percent: number, left: string): string => `${percent} percent, ${left} left`,
  waiting: (seconds: number): string => `Trying again in ${seconds} s.`,
  waitingNow: 'Trying again now.',
  done: 'Done',
  doneUpload: (size: string, sent: string, time: string): string =>
    `The disk of ${size} is uploaded, ${sent} of data in ${time}, and on stable storage.`,
  doneDownload: (size: string, time: string): string => `The disk of ${size} is downloaded in ${time}.`,
  verified: 'The digests of all blocks are equal on both sides.',
  notVerified: 'Digests were not compared.',
  cancelled: 'Cancelled',
  cancelledWords: 'The transfer was given up. What was moved may still be on the disk.',
  failed: 'The transfer has stopped',
  notConnected: 'This disk cannot be used now',
  tryAgain: 'Try again',
  chooseFileAgain: 'Choose the file again',
  otherTransferRuns: 'The link is for another disk. It can be opened when this transfer is over.',
  notPermitted: 'The browser was not allowed to read the file. Choose it again.',
  oneFile: 'One disk file at a time.',
  emptyTicket: 'Paste a ticket first.',
  free: 'The transfer in the other tab is over. You can start here now.',
  leavesDownload: 'The download goes on in the browser. Keep this page open until it has ended.',

  access: {
    'not-a-ticket': (): string =>
      'This is neither a signed ticket nor the address of an image. Copy all of it.',
    'other-service': (origin: string): string =>
      `This address is of another service, ${origin}. Open the page there: ${origin}/transfer/`,
  } satisfies Record<AccessError['code'], (origin: string) => string>,

  /** What to do about a problem that is tried again by itself. */
  waitingAdvice: {
    offline: 'This computer is offline. The transfer goes on by itself when the network is back.',
    unreachable: 'The service does not answer. The transfer goes on by itself when it is back.',
    busy: 'The service cannot do it at the moment. The transfer goes on by itself when it can.',
    'ticket-expired':
      'The ticket has expired. Ask whoever gave it to you to extend it; the transfer then goes on.',
    'ticket-unknown':
      'The service does not know the ticket any more. If the transfer was ended, cancel it here too; if ' +
      'the host was restarted, wait until the ticket is there again.',
    'signed-ticket-refused':
      'The signed ticket has ended. Ask for a new link to the same disk and open it here: it goes on.',
    'session-ended':
      'The signed ticket has ended. Ask for a new link to the same disk and open it here: it goes on.',
  } satisfies Partial<Record<ProblemCode, string>>,

  /** What to do about a problem that has ended a transfer. */
  advice: {
    offline: 'This computer is offline. Go on when the network is back.',
    unreachable: 'The service does not answer. Try again, or ask whether it runs.',
    busy: 'The service cannot do it at the moment. Try again in a while.',
    'ticket-expired': 'The ticket has expired. Ask whoever gave it to you to extend it, then try again.',
    'ticket-unknown':
      'The service does not know the ticket. Was the transfer ended, or not begun? Ask for a new link.',
    'signed-ticket-refused': 'The signed ticket is not valid, or not any more. Ask for a new one.',
    'session-ended': 'The signed ticket has ended. Ask for a new one.',
    refused: 'The service refuses this. Show these words to whoever gave you the ticket.',
    'not-begun': 'Nothing was changed.',
    'storage-full': 'Ask whoever runs the storage to make room, then go on.',
    differs: 'The disk is not what it should be. Start anew; if it happens again, suspect the storage.',
    'file-changed': 'Go on with the file as it was, or start anew with this one.',
    'file-refused': 'The browser could not read or write the file. Is it still there, and is there room?',
    'other-tab':
      'This disk is being moved in another tab or window. Go there, or wait: this page says when it is over.',
    defect: 'This should not happen. Load the page again and go on; if it stays, report these words.',
  } satisfies Record<ProblemCode, string>,
} as const;
