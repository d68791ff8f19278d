// Debian's Chromium and its own EventSource, on a page that a server of the test delivers.

import { createServer } from 'node:http';

import { chromium } from 'playwright-core';

import { CONTROL_TYPES, StreamLog } from './stream_log.mjs';

const EXECUTABLE = process.env.CHROMIUM_BIN ?? '/usr/bin/chromium';

// No sandbox: tests run as root in containers. The rest keeps it from speaking to anybody but the test.
export const CHROMIUM_ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Starts a browser, with more `options` if need be; it ends with the test `t`. */
export async function startBrowser(t, options = []) {
  const browser = await chromium.launch({ executablePath: EXECUTABLE, args: [...CHROMIUM_ARGUMENTS, ...options] });
  t.after(() => browser.close());
  return browser;
}

/** Serves an empty page on a port of its own; gives the port. */
export async function servePage(t, headers = {}) {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html', ...headers }).end('<!doctype html><title>page</title>');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return server.address().port;
}

/** Opens a tab at `url`. */
export async function openTab(browser, url) {
  const page = await browser.newPage();
  await page.goto(url);
  return page;
}

/** Opens a stream inside a tab. */
export async function openInTab(page, url, { types = [], withCredentials = false } = {}) {
  const log = new StreamLog();
  const callback = `log${Math.random().toString(36).slice(2)}`;
  await page.exposeFunction(callback, (method, ...details) => log[method](...details));
  await page.evaluate(
    ([streamUrl, credentials, allTypes, report]) => {
      const source = new EventSource(streamUrl, { withCredentials: credentials });
      source.onopen = () => window[report]('opened');
      source.onerror = () => window[report]('failed', source.readyState === EventSource.CLOSED);
      for (const type of allTypes) {
        source.addEventListener(type, (e) => window[report]('received', e.type, e.data, e.lastEventId));
      }
    },
    [url, withCredentials, ['message', ...CONTROL_TYPES, ...types], callback],
  );
  return log;
}
