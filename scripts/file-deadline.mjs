// Loaded into every test process before its file: ends a file that hangs, which node:test itself has no limit
// for, with a word on what it waits for. An orderly exit, so that the processes which the tests started are
// killed too.
const minutes = Number(process.env.TEST_FILE_MINUTES ?? 10);

if (process.env.NODE_TEST_CONTEXT !== undefined) {
  const timer = setTimeout(() => {
    const open = process.getActiveResourcesInfo().join(', ');
    console.error(`${process.argv[1]} did not end within ${minutes} minutes; still open: ${open}`);
    process.exit(1);
  }, minutes * 60_000);
  timer.unref();
}
