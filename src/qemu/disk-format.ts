import { open } from 'node:fs/promises';

export const diskFormats = ['raw', 'qcow2', 'vmdk', 'vhdx', 'vdi'] as const;

export type DiskFormat = (typeof diskFormats)[number];

const formats: readonly { readonly format: DiskFormat; readonly offset: number; readonly bytes: string }[] = [
  { format: 'qcow2', offset: 0, bytes: 'QFI\xfb' },
  { format: 'vmdk', offset: 0, bytes: 'KDMV' },
  { format: 'vmdk', offset: 0, bytes: '# Disk DescriptorFile' },
  { format: 'vhdx', offset: 0, bytes: 'vhdxfile' },
  { format: 'vdi', offset: 0x40, bytes: '\x7f\x10\xda\xbe' },
];

const headBytes = 512;

/** What a file is, by how it begins; raw when it begins like nothing that is known. */
export async function detectFormat(path: string): Promise<DiskFormat> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(headBytes), 0, headBytes, 0);
    const head = buffer.toString('latin1', 0, bytesRead);
    return formats.find(({ offset, bytes }) => head.startsWith(bytes, offset))?.format ?? 'raw';
  } finally {
    await file.close();
  }
}
