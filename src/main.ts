#!/usr/bin/env node
import { helpText, parseCommandLine } from './process/command-line.js';
import { ConfigError } from './config/config-error.js';
import { loadConfig } from './config/load-config.js';
import { showConfig } from './config/show-config.js';
import { restartWithRuntimeOptions } from './node-internals/runtime-options.js';
import { version } from './base/version.js';

const usageExitCode = 2;

const commandLine = parseCommandLine(process.argv.slice(2));
try {
  switch (commandLine.action) {
    case 'help':
      process.stdout.write(helpText);
      break;
    case 'version':
      process.stdout.write(`${version}\n`);
      break;
    case 'refuse':
      process.stderr.write(`${commandLine.message}\n`);
      process.exitCode = usageExitCode;
      break;
    case 'show-config': {
      const { role, confDir } = commandLine;
      const { config } = loadConfig({ role, confDir, environment: process.env, incompleteAllowed: true });
      process.stdout.write(`${showConfig(config)}\n`);
      break;
    }
    case 'start': {
      const { role, confDir, ticketFiles } = commandLine;
      const { refuseNewPrivileges } = await import('./node-internals/new-privileges.js');
      const activation = await import('./process/socket-activation.js');
      const sockets = activation.inheritedSockets(process.env, process.pid);
      activation.keepForNextImage(sockets);
      restartWithRuntimeOptions(role, process.env, process.argv, refuseNewPrivileges());
      activation.takeInheritedSockets(sockets, process.env);
      const load = () => loadConfig({ role, confDir, environment: process.env });
      const loaded = load();
      // The thread pool reads it at its first use, which is still ahead. An operator's own setting wins.
      process.env['UV_THREADPOOL_SIZE'] ??= String(loaded.config.limits.fileThreads);
      // Loaded only here: the framework takes most of a second, which installers that only ask for the
      // configuration need not wait.
      const { bootId } = await import('./process/boot-id.js');
      const { run } = await import('./process/run.js');
      const notifySocket = process.env['NOTIFY_SOCKET'];
      await run(role, loaded, {
        ticketFiles,
        notifySocket,
        sockets,
        bootId: bootId(process.env),
        reload: load,
      });
      break;
    }
  }
} catch (error: unknown) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
