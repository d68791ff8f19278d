// Debian's Firefox, by WebDriver BiDi, with the few words of a page that `PackageTab` uses.
//
// Playwright drives a Firefox of its own, which no registry has; Puppeteer drives the one that is installed.

import puppeteer from 'puppeteer-core';

const EXECUTABLE = process.env.FIREFOX_BIN ?? '/usr/bin/firefox-esr';

/** What keeps it from speaking to anybody but the test, beyond what Puppeteer sets. */
const PREFERENCES = {
  'app.normandy.enabled': false,
  'app.update.disabledForTesting': true,
  'browser.region.network.url': '',
  'browser.safebrowsing.update.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,',
};

/** Starts a browser; it ends with the test `t`. */
export async function startFirefox(t, preferences = {}) {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: EXECUTABLE,
    headless: true,
    extraPrefsFirefox: { ...PREFERENCES, ...preferences },
  });
  t.after(() => browser.close());
  return browser;
}

/** A browser of its own: its tabs share storage and workers with no other context. */
export async function openFirefoxContext(t, browser) {
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
