// Browsers driven by Puppeteer, with the few words of a page that `PackageTab` uses: where Playwright cannot.
//
// Firefox: Playwright's is one of its own, which no registry has, or newer than Debian's. And Chromium where tabs are to be
// hidden and frozen: Playwright makes every page believe that it is seen.

import puppeteer from 'puppeteer-core';

import { CHROMIUM_ARGUMENTS } from './browser.mjs';

const FIREFOX = process.env.FIREFOX_BIN ?? '/usr/bin/firefox-esr';
const CHROMIUM = process.env.CHROMIUM_BIN ?? '/usr/bin/chromium';

/** What keeps Firefox from speaking to anybody but the test, beyond what Puppeteer sets. */
const PREFERENCES = {
  'app.normandy.enabled': false,
  'app.update.disabledForTesting': true,
  'browser.region.network.url': '',
  'browser.safebrowsing.update.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,',
};

/** Starts Firefox; it ends with the test `t`. */
export async function startFirefox(t) {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: FIREFOX,
    headless: true,
    extraPrefsFirefox: PREFERENCES,
  });
  t.after(() => browser.close());
  return browser;
}

/** Starts a Chromium whose tabs are hidden behind the one in front, as they are for people. */
export async function startChromium(t) {
  const browser = await puppeteer.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: CHROMIUM_ARGUMENTS,
    ignoreDefaultArgs: ['--disable-backgrounding-occluded-windows', '--disable-renderer-backgrounding'],
  });
  t.after(() => browser.close());
  return browser;
}

/** A browser of its own: its tabs share storage and workers with no other context. */
export async function openPuppeteerContext(t, browser) {
  const context = await browser.createBrowserContext();
  t.after(() => context.close());
  return {
    async newPage() {
      const page = await context.newPage();
      page.addInitScript = (script) => page.evaluateOnNewDocument(script);
      return page;
    },
  };
}
