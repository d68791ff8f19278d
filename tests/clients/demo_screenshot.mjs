// Takes docs/images/demo-five-tabs.png: the demo page of `corecast dev` in five tabs of one browser, as they really are.
//
// `CORECAST_BIN=… node demo_screenshot.mjs`, in this folder. The first tab is shown whole; of the others their heads.

import { mkdir, writeFile } from 'node:fs/promises';

import { startBrowser } from './lib/browser.mjs';
import { startDemo } from './lib/hub.mjs';
import { eventually } from './lib/wait.mjs';

const IMAGE = new URL('../../docs/images/demo-five-tabs.png', import.meta.url);

const WHOLE = { width: 1120, height: 545 };
const HEAD = { width: 520, height: 392 };

const LINES = [
  ['alice', 'Five tabs of one browser are open.'],
  ['bob', 'And the hub counts one stream.'],
  ['carol', 'Every tab got each of these lines once, in this order.'],
  ['dave', 'I was reloaded a moment ago. Nobody noticed.'],
  ['erin', 'Close any tab: nobody misses a word.'],
];

const ends = [];
const untilEnd = { after: (end) => ends.unshift(end) };
try {
  const { url } = await startDemo(untilEnd);
  const browser = await startBrowser(untilEnd);
  const context = await browser.newContext({ colorScheme: 'light', reducedMotion: 'reduce', deviceScaleFactor: 2 });
  const pages = [];
  for (let n = 0; n < 5; n += 1) {
    const page = await context.newPage();
    await page.setViewportSize(n === 0 ? WHOLE : HEAD);
    await page.goto(url);
    pages.push(page);
  }
  const figures = (page) => Promise.all(['tabs', 'own', 'plain', 'hub'].map((id) => page.locator(`#${id}`).textContent()));
  const agreed = (page) => eventually('the page has its figures', async () => (await figures(page)).join() === '5,1,5,1');
  for (const page of pages) await agreed(page);
  await pages[3].reload();
  for (const page of pages) await agreed(page);
  for (const [n, [who, line]] of LINES.entries()) {
    const page = pages[n % 5];
    await page.fill('#who', who);
    await page.fill('#line', line);
    await page.click('#chat button');
    await pages[0].locator('#events').getByText(line, { exact: true }).waitFor();
  }
  await pages[0].fill('#who', 'alice');
  for (const page of pages) {
    await page.evaluate(() => {
      document.activeElement?.blur();
      scrollTo(0, 0);
    });
  }
  const shots = [];
  for (const page of pages) shots.push(`data:image/png;base64,${(await page.screenshot()).toString('base64')}`);

  const strip = (open) => Array.from({ length: 5 }, (_, n) => `<i class="${n === open ? 'open' : ''}">corecast dev</i>`).join('');
  const windowOf = (shot, n) => `<figure class="${n === 0 ? 'whole' : ''}"><nav>${strip(n)}</nav><img src="${shot}"></figure>`;
  const sheet = await (await browser.newContext({ deviceScaleFactor: 1.5 })).newPage();
  await sheet.setViewportSize({ width: 1200, height: 100 });
  await sheet.setContent(`<!doctype html><style>
    * { box-sizing: border-box; margin: 0; }
    body { display: grid; grid-template-columns: repeat(4, 1fr); gap: 18px; padding: 26px; background: #dde5ea; font: 13px system-ui, sans-serif; }
    figure { background: #c3ced6; border-radius: 11px; overflow: hidden; box-shadow: 0 5px 18px #2b3d4b33; }
    nav { display: flex; gap: 2px; padding: 8px 12px 0; }
    i { flex: 0 1 180px; padding: 7px 12px; border-radius: 8px 8px 0 0; font-style: normal; color: #4a5a67; overflow: hidden; white-space: nowrap; }
    i.open { background: #f6f7f9; color: #16202b; font-weight: 600; }
    img { display: block; width: 100%; }
    .whole { grid-column: 1 / -1; }
    figure:not(.whole) nav { padding: 6px 8px 0; }
    figure:not(.whole) i { height: 18px; padding: 0; color: transparent; background: #b3c0c9; flex-basis: 40px; }
    figure:not(.whole) i.open { background: #f6f7f9; }
  </style>${shots.map(windowOf).join('')}`);
  await mkdir(new URL('.', IMAGE), { recursive: true });
  await writeFile(IMAGE, await sheet.screenshot({ fullPage: true }));
} finally {
  for (const end of ends) await end();
}
