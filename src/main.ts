#!/usr/bin/env node
import { version } from './base/version.js';
import { ConfigError } from './config/config-error.js';
import { helpText, parseCommandLine } from './process/command-line.js';

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
      const { loadConfig } = await import('./config/load-config.js');
      const { showConfig } = await import('./config/show-config.js');
      const { config } = loadConfig({ role, confDir, environment: process.env, incompleteAllowed: true });
      process.stdout.write(`${showConfig(config)}\n`);
      break;
    }
    case 'start': {
      const { role, confDir, ticketFiles } = commandLine;
      const { refuseNewPrivileges } = await import('./node-internals/new-privileges.js');
      const { restartWithRuntimeOptions } = await import('./node-internals/runtime-options.js');
      const activation = await import('./process/socket-activation.js');
      const sockets = activation.inheritedSockets(process.env, process.pid);
      activation.keepForNextImage(sockets);
      restartWithRuntimeOptions(role, process.env, process.argv, refuseNewPrivileges());
      activation.takeInheritedSockets(sockets, process.env);
      // Loaded only here: the framework takes most of the start, which neither the process image before needs
      // nor an installer that only asks for the configuration.
      const { start } = await import('./process/start.js');
      await start(role, { confDir, ticketFiles, sockets });
      break;
    }
  }
} catch (error: unknown) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
