// Opens the page in a browser beside a hub, and watches that nothing goes wrong behind the pixels.

import assert from 'node:assert/strict';

import { MockHub } from './mock_hub.mjs';

/** Often, so that minutes of the hub's life pass in a test's second. */
const USUAL = { intervalMs: 20 };

/** What Chromium logs by itself for an answer that is an error, or for none. */
const FAILED_REQUEST = /Failed to load resource|net::ERR_/;

/** A hub; it ends with the test `t`, after the pages that were opened with `hub.pages` for a test. */
export async function startMock(t, settings = {}) {
  const hub = new MockHub({ ...USUAL, ...settings });
  await hub.listen();
  // Pages close before their hub: a hub that goes is what only some tests are about.
  const pages = [];
  hub.pages = { after: (close) => pages.push(close) };
  t.after(async () => {
    try {
      for (const close of pages) await close();
    } finally {
      await hub.lose();
    }
  });
  return hub;
}

/**
 * A tab with the page of the hub at `url`. It closes with the test, which fails if the console has an error, a script
 * threw, the content policy was violated, or a hostile name ran. Requests may fail if `mayFail`.
 */
export async function openPage(t, browser, url, { view = '', mayFail = false, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  const wrong = [];
  page.on('console', (message) => {
    if (!['error', 'warning'].includes(message.type())) return;
    if (!(mayFail && FAILED_REQUEST.test(message.text()))) wrong.push(message.text());
  });
  page.on('pageerror', (error) => wrong.push(String(error)));
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) =>
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  t.after(async () => {
    const isPwned = await page.evaluate(() => 'pwned' in window);
    await context.close();
    assert.deepEqual(wrong, []);
    assert.equal(isPwned, false, 'a name was taken for markup');
  });
  await page.goto(`${url}${view === '' ? '' : `#/${view}`}`);
  return page;
}

/** The big number of a tile, as text. */
export function tile(page, name) {
  return page
    .locator('.tile')
    .filter({ has: page.getByText(name, { exact: true }) })
    .locator('.value');
}

/** A field of a list of names and values. */
export function fact(page, card, name) {
  return page
    .getByRole('region', { name: card })
    .locator('.facts > div')
    .filter({ has: page.getByText(name, { exact: true }) })
    .locator('dd');
}
