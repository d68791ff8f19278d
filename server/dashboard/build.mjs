// Bundles the page into the three files that the hub embeds. The same sources and lock file give the same bytes.
//
// `node build.mjs [FOLDER]` writes to FOLDER instead; `node build.mjs --tests FOLDER` bundles the unit tests.

import { copyFile, mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const HERE = dirname(fileURLToPath(import.meta.url));
const ASSETS = join(HERE, '../assets/dashboard');

/** What ends up in the page besides our own code; their licences ask to be kept with it. */
const BUNDLED = ['uplot', 'preact'];

const SHARED = {
  absWorkingDir: HERE,
  bundle: true,
  charset: 'utf8',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  logLevel: 'warning',
};

async function licenceNotices() {
  const notices = BUNDLED.map(async (name) => {
    const folder = join(HERE, 'node_modules', name);
    const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    const licence = await readFile(join(folder, 'LICENSE'), 'utf8');
    return `/*! ${name} ${version}\n\n${licence.trim()}\n*/`;
  });
  return (await Promise.all(notices)).join('\n');
}

async function buildPage(folder) {
  await mkdir(folder, { recursive: true });
  const notices = await licenceNotices();
  await build({
    ...SHARED,
    entryPoints: [
      { in: 'src/main.tsx', out: 'dashboard' },
      { in: 'src/dashboard.css', out: 'dashboard' },
    ],
    outdir: folder,
    format: 'esm',
    target: ['chrome123', 'firefox120', 'safari17.5'],
    minify: true,
    legalComments: 'none',
    banner: { js: notices, css: notices.slice(0, notices.indexOf('*/') + 2) },
  });
  await copyFile(join(HERE, 'src/index.html'), join(folder, 'index.html'));
}

async function buildTests(folder) {
  await rm(folder, { recursive: true, force: true });
  const names = (await readdir(join(HERE, 'tests'))).filter((name) => name.endsWith('.test.ts'));
  const entryPoints = names.map((name) => `tests/${name}`);
  await build({ ...SHARED, entryPoints, outdir: folder, format: 'esm', platform: 'node', target: 'node20' });
}

const [first, second] = process.argv.slice(2);
if (first === '--tests') await buildTests(resolve(second));
else await buildPage(first === undefined ? ASSETS : resolve(first));
