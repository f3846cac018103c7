import 'reflect-metadata';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { daemonContracts } from './roles/daemon.contract.js';
import { proxyContract } from './roles/proxy.contract.js';

/**
 * `openapi.js [--check] DIR`: writes the contracts of all applications to DIR, or fails when those there
 * differ from the code.
 */
const { values, positionals } = parseArgs({
  options: { check: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const [folder = 'openapi'] = positionals;
await mkdir(folder, { recursive: true });
const documents = { ...(await daemonContracts()), proxy: await proxyContract() };
for (const [name, document] of Object.entries(documents)) {
  const path = join(folder, `${name}.json`);
  const text = `${JSON.stringify(document, undefined, 2)}\n`;
  if (!values.check) await writeFile(path, text);
  else if ((await readFile(path, 'utf8')) !== text) {
    process.stderr.write(`${path} differs from the code: run npm run openapi and review the change\n`);
    process.exitCode = 1;
  }
}
