// The page that the hub itself serves, against the hub itself.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { startBrowser } from '../clients/lib/browser.mjs';
import { startHub, token } from '../clients/lib/hub.mjs';
import { eventually, withDeadline } from '../clients/lib/wait.mjs';
import { fact, openPage, tile } from './open.mjs';

const ADMIN_TOKEN = 'a-token-that-only-this-test-knows';

let browser;
let closeBrowser;

before(async () => {
  browser = await startBrowser({ after: (close) => (closeBrowser = close) });
});
after(() => closeBrowser?.());

/** A hub, and its own page; the page closes first. */
async function setUp(t, settings = {}, options = {}) {
  const pages = [];
  t.after(async () => {
    for (const close of pages) await close();
  });
  const hub = await startHub(t, settings);
  const page = await openPage({ after: (close) => pages.push(close) }, browser, `${hub.admin}/`, options);
  return { hub, page };
}

/** A subscriber that reads for as long as the test runs; `isOpen` until the hub ends it. */
async function subscribe(t, hub, query) {
  const controller = new AbortController();
  t.after(() => controller.abort());
  const response = await fetch(hub.events(query), { signal: controller.signal });
  assert.equal(response.status, 200);
  const subscriber = { isOpen: true, text: '' };
  const read = async () => {
    const decoder = new TextDecoder();
    for await (const bytes of response.body) subscriber.text += decoder.decode(bytes, { stream: true });
  };
  read()
    .catch(() => {})
    .finally(() => (subscriber.isOpen = false));
  return subscriber;
}

test('the hub serves the files of this repository', async (t) => {
  const { hub } = await setUp(t);
  for (const [path, file] of [
    ['/', 'index.html'],
    ['/dashboard.js', 'dashboard.js'],
    ['/dashboard.css', 'dashboard.css'],
  ]) {
    const served = Buffer.from(await (await fetch(new URL(path, hub.admin))).arrayBuffer());
    const committed = await readFile(new URL(`../../server/assets/dashboard/${file}`, import.meta.url));
    assert.ok(served.equals(committed), `${path} is of ${served.length} bytes, ${file} of ${committed.length}`);
  }
});

test('streams, users, topics and deliveries are those of the hub', async (t) => {
  const { hub, page } = await setUp(t);
  const alice = await subscribe(t, hub, { topic: 'prices/{symbol}', access_token: token({ user: 'alice' }) });
  await subscribe(t, hub, { topic: ['prices/{symbol}', 'news'], client_id: 'tab-1' });
  await eventually('two streams', async () => (await tile(page, 'Streams').innerText()) === '2');
  const link = page.getByRole('region', { name: 'Top users' }).getByRole('link', { name: 'alice' });
  await link.waitFor();
  await page.getByRole('region', { name: 'Top topics' }).getByRole('link', { name: 'prices/{symbol}' }).waitFor();
  for (let number = 0; number < 5; number += 1) await hub.publish({ topics: ['prices/acme'], data: `price ${number}` });
  const tileNote = page.locator('.tile').filter({ hasText: 'Deliveries / s' }).locator('.note');
  await eventually('ten deliveries', async () => (await tileNote.innerText()) === '10 since start');
  assert.match(alice.text, /data: price 4\n/);
  assert.equal(await fact(page, 'Inside', 'History').innerText(), '5 events');

  await link.click();
  await page.getByText('1 matches').waitFor();
  await page.getByRole('button', { name: 'Details of' }).click();
  await page.locator('dialog .selectors').first().getByText('prices/{symbol}').waitFor();
  await page.getByRole('button', { name: 'Disconnect…', exact: true }).click();
  await page.getByLabel('Reason').fill('spring cleaning');
  await page.locator('dialog').last().getByRole('button', { name: 'Disconnect', exact: true }).click();
  await page.getByText('One connection was disconnected.').waitFor();
  await eventually("the end of alice's stream", () => !alice.isOpen);
  assert.match(alice.text, /spring cleaning/);
});

test('the debugger receives what it publishes', async (t) => {
  const { hub, page } = await setUp(t, {}, { view: 'debugger' });
  await page.getByLabel('Topics, one a line').first().fill('news');
  await page.getByRole('button', { name: 'Subscribe', exact: true }).click();
  await page.locator('.lines').getByText('open: 200').waitFor();
  const form = page.locator('form[name=publish]');
  await form.getByLabel('Topics, one a line').fill('news');
  await form.getByLabel('Data').fill('<i>hello</i>');
  await form.getByLabel("Publisher's token").fill(hub.publisher);
  await form.getByRole('button', { name: 'Publish' }).click();
  const said = await form.getByText(/ after /).innerText();
  const line = page.locator('.lines [data-kind=event]');
  await line.getByText('<i>hello</i>').waitFor();
  assert.equal(await line.locator('.id').innerText(), said.split(' after ')[0]);
});

test('an admin token is asked for, and opens everything', async (t) => {
  const { hub, page } = await setUp(t, { 'admin.token': ADMIN_TOKEN }, { mayFail: true, view: 'settings' });
  await page.getByLabel('Token of').fill(ADMIN_TOKEN);
  await page.getByRole('button', { name: 'Unlock' }).click();
  await page.locator('.config tr').filter({ hasText: 'token' }).getByText('(secret)').first().waitFor();
  await page.goto(`${hub.admin}/#/connections`);
  await page.getByText('No connection matches.').waitFor();
  await page.goto(`${hub.admin}/#/overview`);
  await eventually('no streams', async () => (await tile(page, 'Streams').innerText()) === '0');
});

test('a log level is set, and a bad one refused with what is wrong', async (t) => {
  const { page } = await setUp(t, {}, { mayFail: true, view: 'settings' });
  const card = page.getByRole('region', { name: 'Log level' });
  await card.getByRole('textbox').fill('info,corecast::shard=debug');
  await card.getByRole('button', { name: 'Apply' }).click();
  await card.getByText('in force').waitFor();
  await card.getByRole('textbox').fill('corecast=loud');
  await card.getByRole('button', { name: 'Apply' }).click();
  await card.locator('.problem').waitFor();
  assert.match(await card.locator('.problem').innerText(), /level/);
});

test('a drain is shown to its end', async (t) => {
  const { hub, page } = await setUp(t, {}, { mayFail: true, view: 'settings' });
  await subscribe(t, hub, { topic: 'news' });
  await page.getByRole('button', { name: 'Drain and stop…' }).click();
  await page.getByRole('button', { name: 'Drain', exact: true }).click();
  await page.getByText('The hub does not answer.').waitFor();
  await withDeadline(hub.ended, 'the hub has ended');
});
