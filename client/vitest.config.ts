// The examples import the package by its name.

import { fileURLToPath } from 'node:url';

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { alias: { '@corecast/client': fileURLToPath(new URL('src/index.ts', import.meta.url)) } },
});
