// Joins the compiled service, the client and the packages they need into a few files (dist/main.js,
// dist/client/main.js and dist/chunks), because finding, reading and compiling 1,600 small ones took half of
// the start. The other files of dist stay as the compiler made them.
import { build } from 'esbuild';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { projectRoot } from './console.mjs';

const dist = join(projectRoot, 'dist');
const workers = readdirSync(dist, { recursive: true })
  .filter((path) => path.endsWith('-worker.js') && !path.startsWith('chunks'))
  .map((path) => [`chunks/${basename(path, '.js')}`, join(dist, path)]);
const { metafile } = await build({
  absWorkingDir: projectRoot,
  // Entries of their own, because the files that start the workers name them by a relative path, also from a
  // chunk.
  entryPoints: {
    main: join(dist, 'main.js'),
    'client/main': join(dist, 'client', 'main.js'),
    ...Object.fromEntries(workers),
  },
  outdir: dist,
  chunkNames: 'chunks/[name]-[hash]',
  allowOverwrite: true,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22.12',
  mainFields: ['module', 'main'],
  conditions: ['es2015'],
  // Not bundled: it loads a native library from a file beside its own.
  external: ['koffi'],
  plugins: [
    { name: 'leave-optional-packages', setup: leaveOptionalPackages },
    { name: 'take-built-in-modules', setup: takeBuiltInModules },
  ],
  // A third less text to read, compile and keep in memory. Names stay, so stack traces can be read, and
  // that without `keepNames`, which defines the name of each function anew whenever it is made: small
  // requests took a sixth more CPU.
  minifyWhitespace: true,
  minifySyntax: true,
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'none',
  // CommonJS packages call `require` for modules of Node.
  banner: {
    js: [
      "import { createRequire as bundleRequire } from 'node:module';",
      'const require = bundleRequire(import.meta.url);',
    ].join('\n'),
  },
  metafile: true,
  logLevel: 'warning',
});
writeFileSync(join(dist, 'third-party-licenses.txt'), licences(Object.keys(metafile.inputs)));

/**
 * Nest imports packages for parts of it that we do not use, some of which are not even installed. Bundled,
 * they would also keep all of what we use a part of, such as class-validator.
 */
function leaveOptionalPackages({ onResolve }) {
  onResolve({ filter: /^[^.]/ }, ({ path, kind, importer }) => {
    const isOptional = kind === 'dynamic-import' && importer.includes('/node_modules/@nestjs/');
    return isOptional ? { path, external: true } : undefined;
  });
}

/**
 * An import of `node:http` or `node:crypto` reads all that they export, also what Node loads only when it is
 * asked for: the whole of `fetch` and the web's cryptography, which is 30 ms of the start and some MiB. Of a
 * module that is taken as it is nothing is read but what is used.
 */
function takeBuiltInModules({ onResolve, onLoad }) {
  onResolve({ filter: /^(node:)?(http|crypto)$/, namespace: 'file' }, ({ path }) => ({
    path: path.replace('node:', ''),
    namespace: 'built-in',
  }));
  onLoad({ filter: /./, namespace: 'built-in' }, ({ path }) => ({
    contents: `module.exports = process.getBuiltinModule('${path}');`,
  }));
}

/** The licences ask that their text goes along with the code. */
function licences(files) {
  const folders = new Set(
    files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []),
  );
  return [...folders]
    .map((folder) => {
      const path = join(projectRoot, folder);
      const { name, version, license } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
      const texts = readdirSync(path).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
      return [
        `${name} ${version} (${license})`,
        ...texts.map((file) => readFileSync(join(path, file), 'utf8')),
      ];
    })
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map((parts) => parts.map((part) => part.trim()).join('\n\n'))
    .join(`\n\n${'-'.repeat(80)}\n\n`)
    .concat('\n');
}
