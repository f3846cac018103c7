/**
 * Replaces the image of this process by one of the same program, with the same arguments: it keeps its id and
 * the sockets that are kept at an execve. Does nothing where this version of Node cannot, which came with
 * 22.15.
 */
export function replaceProcessImage(): void {
  if (typeof process.execve !== 'function') return;
  const { execPath, execArgv, argv, env } = process;
  process.execve(execPath, [execPath, ...execArgv, ...argv.slice(1)], env);
}
