// Opens tabs in a context of Chromium's: in the background, as most tabs of a user are, and at their address at once.
//
// Playwright's way, an empty page that then goes there, takes half as much time of the processor again, and this is what 200
// users spend most on.

import { gateOf } from './gate.mjs';

/** Nobody looks at the pages. */
const VIEWPORT = { width: 64, height: 48 };

/** A new context of `browser`, as a function that opens a tab at an address, once the page has loaded, and gives the page. */
export async function openerIn(browser) {
  const context = await browser.newContext({ viewport: VIEWPORT });
  const session = await browser.newBrowserCDPSession();
  const browserContextId = await idOf(context);
  // One at a time: the next page that the context tells of is the one that was asked for.
  const gate = gateOf(1);
  return (address) =>
    gate(async () => {
      const appeared = context.waitForEvent('page');
      await session.send('Target.createTarget', { url: address, browserContextId, background: true });
      const page = await appeared;
      await page.waitForURL(({ href }) => href === address);
      return page;
    });
}

/** Only a page of a context knows what the browser calls it. */
async function idOf(context) {
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  const { targetInfo } = await session.send('Target.getTargetInfo');
  await page.close();
  return targetInfo.browserContextId;
}
