/**
 * File systems in which the kernel shows itself and its processes: `statfs(2)` type and name. What looks
 * like a file there is an interface, or memory of a process, or leads to any file that some process has
 * open. Values of linux/magic.h, and of the file system's own source where that has none.
 */
const names: ReadonlyMap<number, string> = new Map([
  [0x9fa0, 'proc'],
  [0x62656572, 'sysfs'],
  [0x64626720, 'debugfs'],
  [0x74726163, 'tracefs'],
  [0x27e0eb, 'cgroup'],
  [0x63677270, 'cgroup2'],
  [0x7655821, 'resctrl'],
  [0x73636673, 'securityfs'],
  [0xf97cff8c, 'selinuxfs'],
  [0x43415d53, 'smackfs'],
  [0x5a3c69f0, 'apparmorfs'],
  [0xcafe4a11, 'bpf'],
  [0x6165676c, 'pstore'],
  [0xde5e81e4, 'efivarfs'],
  [0x62656570, 'configfs'],
  [0x1cd1, 'devpts'],
  [0x19800202, 'mqueue'],
  [0x42494e4d, 'binfmt_misc'],
  [0x6c6f6f70, 'binderfs'],
  [0x65735543, 'fusectl'],
  [0x67596969, 'rpc_pipefs'],
  [0x6e667364, 'nfsd'],
  [0xabba1974, 'xenfs'],
  [0x9fa1, 'openpromfs'],
  [0x958458f6, 'hugetlbfs'],
  [0x6e736673, 'nsfs'],
  [0x50495045, 'pipefs'],
  [0x534f434b, 'sockfs'],
  [0x09041934, 'anon_inodefs'],
  [0x444d4142, 'dma-buf'],
  [0x5345434d, 'secretmem'],
  [0x50494446, 'pidfs'],
]);

/** @returns the name of a kernel file system by its `statfs(2)` type; undefined where images may lie */
export function kernelFileSystem(type: number): string | undefined {
  return names.get(type);
}
