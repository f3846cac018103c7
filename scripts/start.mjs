// npm start: installs and builds what is missing, then runs the demo, which gets the arguments after `--`:
// `npm start -- --check`
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { pinnedNode, projectRoot, run } from './console.mjs';
import { installPackages } from './install.mjs';

if (!installPackages() || !build()) process.exit(1);

const demo = spawn(pinnedNode, [join(projectRoot, '.build', 'demo', 'main.js'), ...process.argv.slice(2)], {
  cwd: projectRoot,
  stdio: 'inherit',
});
// The terminal sends Ctrl-C to the demo as well. This process ignores it, so that it ends after the demo has
// cleaned up.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => demo.kill('SIGTERM'));
demo.once('exit', (code) => process.exit(code ?? 1));

function build() {
  console.log('Building');
  return ['build', 'build:test'].every((script) => run('npm', ['run', '--silent', script]));
}
