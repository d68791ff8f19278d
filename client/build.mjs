// Builds the package: `node build.mjs`, or `node build.mjs --check` to see that what is committed is what comes out.
//
// The same bytes wherever it runs: versions are pinned by the lock file, and nothing written says where or when. The hub
// embeds server/assets/client; dist, which is published, is that with source maps and types.

import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

import { build } from 'esbuild';
import { minify } from 'terser';

const HERE = dirname(fileURLToPath(import.meta.url));
const ASSETS = join(HERE, '../server/assets/client');
const DIST = join(HERE, 'dist');

/** Each with the most it may weigh, gzipped, in bytes. */
const OUTPUTS = [
  { file: 'client.js', entry: 'index.ts', format: 'iife', script: 'document.currentScript?.src', bytesMax: 6144 },
  { file: 'client.mjs', entry: 'index.ts', format: 'esm', script: 'import.meta.url', bytesMax: 6144 },
  { file: 'client-host.mjs', entry: 'hosts/in_page.ts', format: 'esm', script: '', bytesMax: 6656 },
  { file: 'client-worker.js', entry: 'worker.ts', format: 'iife', script: 'undefined', bytesMax: 6144 },
];

/** What only pages without a worker need is a file of its own, which a classic script may import, too. */
const apart = {
  name: 'apart',
  setup: ({ onResolve }) =>
    onResolve({ filter: /in_page\.ts$/ }, ({ kind }) =>
      kind === 'dynamic-import' ? { path: './client-host.mjs', external: true } : undefined,
    ),
};

async function bundle({ file, entry, format, script }) {
  const { outputFiles } = await build({
    absWorkingDir: HERE,
    entryPoints: [`src/${entry}`],
    outfile: `out/${file}`,
    bundle: true,
    write: false,
    minify: true,
    sourcemap: 'external',
    plugins: [apart],
    target: 'es2022',
    format,
    // Not `define` alone, which takes no `?.`: the banner runs before the bundle does.
    banner: { js: script.startsWith('document') ? `var corecast_script=${script};` : '' },
    define: {
      SCRIPT_URL: format === 'esm' ? 'import.meta.url' : 'corecast_script',
      CLASSIC_URL: format === 'esm' ? 'undefined' : 'corecast_script',
    },
    ...(entry === 'index.ts' && format === 'iife' ? { globalName: 'corecast' } : {}),
  });
  // A second minifier, which inlines what esbuild leaves: 3 % less.
  const [mapBefore, codeBefore] = outputFiles.map(({ text }) => text);
  const { code, map } = await minify(
    { [file]: codeBefore },
    {
      module: format === 'esm',
      // Of what terser calls unsafe, what is safe here: nothing is constructed but classes, and no getter has effects.
      // Without sequences it compresses better.
      compress: { passes: 3, ecma: 2020, unsafe_arrows: true, pure_getters: true, sequences: false },
      sourceMap: { content: mapBefore, filename: file },
    },
  );
  return [
    { name: file, contents: Buffer.from(code) },
    { name: `${file}.map`, contents: Buffer.from(map) },
  ];
}

const files = (await Promise.all(OUTPUTS.map(bundle))).flat();
const scripts = files.filter(({ name }) => !name.endsWith('.map'));
let isGood = true;
for (const { file, bytesMax } of OUTPUTS) {
  const { contents } = files.find(({ name }) => name === file);
  const bytes = gzipSync(contents, { level: 9 }).length;
  console.log(`${file.padEnd(18)} ${String(contents.length).padStart(6)} B, gzipped ${bytes} of at most ${bytesMax} B`);
  isGood &&= bytes <= bytesMax;
}
if (!isGood) throw new Error('too large');

if (process.argv.includes('--check')) {
  const isSame = ({ name, contents }) => committed.includes(name) && readFileSync(join(ASSETS, name)).equals(contents);
  const committed = readdirSync(ASSETS);
  if (committed.length !== scripts.length || !scripts.every(isSame)) {
    throw new Error('server/assets/client is not what the sources give: run `npm run build` in client/');
  }
} else {
  rmSync(ASSETS, { recursive: true, force: true });
  mkdirSync(ASSETS, { recursive: true });
  for (const { name, contents } of scripts) writeFileSync(join(ASSETS, name), contents);
}
rmSync(DIST, { recursive: true, force: true });
mkdirSync(DIST);
for (const { name, contents } of files) writeFileSync(join(DIST, name), contents);
for (const { name } of scripts) appendFileSync(join(DIST, name), `\n//# sourceMappingURL=${name}.map\n`);
execFileSync(join(HERE, 'node_modules/.bin/tsc'), ['--project', 'tsconfig.types.json'], { cwd: HERE, stdio: 'inherit' });
