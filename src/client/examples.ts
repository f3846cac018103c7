/** What one types, and why. */
export interface Example {
  readonly words: string;
  readonly command: string;
}

const host = 'https://host.example.com:54322/images/$TICKET';

/**
 * Examples of the commands, which help and manual show. The tests run each of them, at services of their own.
 */
export const examples: ReadonlyMap<string, readonly Example[]> = new Map([
  [
    'upload',
    [
      {
        words: 'A file of any format, compared with the image when it is done',
        command: `imageio upload disk.qcow2 ${host} --cafile ca.pem --verify`,
      },
      {
        words: 'What has changed in a file that was sent before',
        command: `imageio upload disk.raw ${host} --cafile ca.pem --only-changed`,
      },
      {
        words: 'By way of a proxy, as the holder of a signed ticket',
        command:
          'imageio upload disk.raw https://proxy.example.com:54323 --signed-ticket ticket.txt --cafile ca.pem',
      },
      {
        words: 'What another program writes, in no more than 50 MiB each second',
        command: `gunzip < disk.raw.gz | imageio upload - ${host} --cafile ca.pem --limit-rate 50m`,
      },
    ],
  ],
  [
    'download',
    [
      {
        words: 'A raw file with holes where the image has zeroes',
        command: `imageio download ${host} disk.raw --cafile ca.pem --verify`,
      },
      {
        words: 'What has changed since the file was received, if it is there',
        command: `imageio download ${host} disk.raw --cafile ca.pem --only-changed`,
      },
      {
        words: 'A qcow2 file, over eight connections',
        command: `imageio download ${host} disk.qcow2 --cafile ca.pem --format qcow2 --max-workers 8`,
      },
      {
        words: 'For another program',
        command: `imageio download ${host} - --cafile ca.pem | sha256sum`,
      },
    ],
  ],
  [
    'copy',
    [
      {
        words: 'From one service to another, through this host',
        command: `imageio copy ${host} https://other.example.com:54322/images/$OTHER --cafile ca.pem`,
      },
    ],
  ],
  [
    'verify',
    [{ words: 'Which blocks differ, if any', command: `imageio verify disk.raw ${host} --cafile ca.pem` }],
  ],
  [
    'checksum',
    [
      { words: 'Of a file', command: 'imageio checksum disk.raw' },
      {
        words: 'Of an image, as its service computes it',
        command: `imageio checksum ${host} --cafile ca.pem`,
      },
    ],
  ],
  [
    'receipt',
    [
      {
        words: 'Of an image, to be kept beside the backup that was made of it',
        command: `imageio receipt ${host} --cafile ca.pem --save receipt.json --disk disk.raw`,
      },
      {
        words: 'Years later, without the service',
        command: 'imageio receipt receipt.json --cafile ca.pem --disk disk.raw --format raw',
      },
    ],
  ],
  [
    'extents',
    [
      {
        words: 'As JSON lines, for another program',
        command: `imageio extents ${host} --cafile ca.pem --output json`,
      },
    ],
  ],
  [
    'info',
    [
      { words: 'Format and size of a file', command: 'imageio info disk.qcow2' },
      { words: 'What the service can do with an image', command: `imageio info ${host} --cafile ca.pem` },
    ],
  ],
  [
    'completion',
    [{ words: 'For the bash that runs; a line for ~/.bashrc', command: 'source <(imageio completion bash)' }],
  ],
]);

/** The examples of a command, as its help ends with them. */
export function examplesText(name: string): string {
  const lines = (examples.get(name) ?? []).map(({ words, command }) => `  # ${words}\n  ${command}`);
  return lines.length === 0 ? '' : `\nExamples:\n${lines.join('\n')}`;
}
