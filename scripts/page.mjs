// Builds the page for transfers (page/) into dist/page: scripts, style and icon under names with the hash of
// their content, the document that loads them, all of them compressed as well, and files.json, which the
// service reads.
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { projectRoot } from './console.mjs';

const source = join(projectRoot, 'page');
const target = join(projectRoot, 'dist', 'page');
/** Where the service serves it. */
const servedAt = '/transfer';
const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
const files = {};

const worker = write('worker.js', await bundled(join('worker', 'main.ts')));
const script = write(
  'page.js',
  await bundled(join('ui', 'main.ts'), { WORKER_PATH: JSON.stringify(worker) }),
);
const style = write('style.css', await bundled('style.css'));
const icon = write('icon.svg', readFileSync(join(source, 'icon.svg')));
const { staticTexts } = await import(`data:text/javascript,${encodeURIComponent(await bundled('texts.ts'))}`);
writeDocument({ ...staticTexts, worker, script, style, icon });
writeFileSync(join(target, 'files.json'), JSON.stringify(files, null, 2));

async function bundled(entry, define = {}) {
  const { outputFiles } = await build({
    absWorkingDir: projectRoot,
    entryPoints: [join(source, entry)],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: ['chrome119', 'firefox121', 'safari17.4'],
    minify: true,
    legalComments: 'none',
    define,
    logLevel: 'warning',
  });
  return outputFiles[0].text;
}

/** @returns the path by which it is asked for */
function write(name, content) {
  const digest = digestOf(content);
  const ending = extname(name);
  const hashed = `${basename(name, ending)}-${digest.slice(0, 12)}${ending}`;
  store(hashed, content, digest);
  return `${servedAt}/${hashed}`;
}

/** Its name stays, so browsers ask each time whether it has changed. */
function writeDocument(values) {
  const template = readFileSync(join(source, 'index.html'), 'utf8');
  const text = template.replaceAll(/\{\{(\w+)\}\}/g, (_, name) => {
    if (values[name] === undefined) throw new Error(`index.html wants ${name}, which texts.ts does not have`);
    return escaped(values[name]);
  });
  store('index.html', text, digestOf(text));
}

function store(name, content, digest) {
  const bytes = Buffer.from(content);
  const quality = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
  writeFileSync(join(target, name), bytes);
  writeFileSync(join(target, `${name}.br`), brotliCompressSync(bytes, { params: quality }));
  writeFileSync(join(target, `${name}.gz`), gzipSync(bytes, { level: 9 }));
  files[name] = { type: types[extname(name)], digest };
}

function digestOf(content) {
  return createHash('sha256').update(content).digest('hex');
}

function escaped(text) {
  const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replaceAll(/[&<>"]/g, (character) => entities[character]);
}
