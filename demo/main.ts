// Runs daemon and proxy on this machine with everything that engine and vdsm would give them, and prints
// commands to try. With --check it runs these commands itself and exits with 0 when each of them did what it
// says.
import { needs } from '../test/support/requirements.js';
import { checkTour } from './check.js';
import { demoChapters } from './commands.js';
import { printTour } from './print.js';
import { Stage } from './stage.js';

const interruption = new Promise((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, resolve);
});
const stage = await Stage.build();
try {
  const chapters = demoChapters(stage.parties);
  if (process.argv.includes('--check')) {
    const ok = await checkTour(chapters, stage.folder);
    if (!ok) for (const { program } of [stage.daemon, stage.proxy]) console.error(program.lastLines());
    process.exitCode = ok ? 0 : 1;
  } else {
    printTour(chapters, { folder: stage.folder, ...stage.parties });
    if (needs('curl') !== false) console.log('curl is not installed here: the commands above need it.');
    await Promise.race([interruption, stage.daemon.program.exited, stage.proxy.program.exited]);
    for (const { role, program } of [stage.daemon, stage.proxy])
      if (program.hasExited) console.error(`The ${role} has ended by itself\n${program.lastLines()}`);
  }
} finally {
  await stage.strike();
}
process.exit();
