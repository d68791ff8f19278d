// The page in Chromium, beside a hub that does what each test needs.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBrowser } from '../clients/lib/browser.mjs';
import { eventually } from '../clients/lib/wait.mjs';
import { HOSTILE_TOPIC, HOSTILE_USERS } from './life.mjs';
import { fact, openPage, startMock, tile } from './open.mjs';

const VIEWS = ['overview', 'connections', 'debugger', 'settings'];

let browser;
let closeBrowser;

before(async () => {
  browser = await startBrowser({ after: (close) => (closeBrowser = close) });
});
after(() => closeBrowser?.());

const open = (hub, options) => openPage(hub.pages, browser, hub.url, options);

/** Texts of all that match, once there are any. */
async function texts(locator) {
  await locator.first().waitFor();
  return locator.allInnerTexts();
}

/** "1,234" as a number; NaN for a dash. */
const numberIn = (text) => Number(text.replaceAll(',', '').replace('k', 'e3').replace('M', 'e6'));

/** Colour of an element's background, as red, green and blue. */
async function background(page, selector) {
  const text = await page.locator(selector).evaluate((element) => getComputedStyle(element).backgroundColor);
  return text.match(/\d+/g).slice(0, 3).map(Number);
}

/** Points of a chart's area that are drawn on. */
function inkOf(page, name) {
  return page
    .getByRole('region', { name, exact: true })
    .locator('canvas')
    .evaluate((canvas) => {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((value, index) => index % 4 === 3 && value > 0).length;
    });
}

test('the overview shows what the hub says', async (t) => {
  const hub = await startMock(t);
  const page = await open(hub);
  await eventually('a rate', async () => numberIn(await tile(page, 'Deliveries / s').innerText()) > 10_000);
  assert.match(await page.locator('.state').innerText(), /running\s+v0\.1\.0\s+up \d+m \d\ds/);
  assert.match(await tile(page, 'Streams').innerText(), /^[\d,]+$/);
  assert.match(await tile(page, 'Latency p99').innerText(), / ms$/);
  for (const chart of ['Streams', 'Deliveries per second', 'Bytes per second', 'Latency']) {
    await eventually(`the chart ${chart} is drawn`, async () => (await inkOf(page, chart)) > 500);
    const image = page.getByRole('region', { name: chart, exact: true }).getByRole('img');
    assert.match(await image.getAttribute('aria-label'), /last five minutes\. .*now .*, highest /);
  }
  const shards = page.getByRole('region', { name: 'Shards' });
  assert.deepEqual(await texts(shards.locator('tbody th')), ['0', '1', '2', '3']);
  await eventually('recent evictions', async () =>
    /evicted\s+\+\d+\s+\d+/.test(await page.locator('.reasons').innerText()),
  );
  assert.equal(await fact(page, 'Log', 'Kind').innerText(), 'file');
  assert.match(await fact(page, 'Slow readers', 'Furthest behind').innerText(), /events$/);
});

test('names from outside are shown as the text they are', async (t) => {
  const hub = await startMock(t);
  const page = await open(hub);
  const users = await texts(page.getByRole('region', { name: 'Top users' }).locator('li a'));
  assert.equal(users[0], 'anonymous tab-10');
  assert.deepEqual(users.slice(1, 4), HOSTILE_USERS.slice(0, 3));
  assert.equal(users[4], '\\u{202E}evil\\u{202C} 😀', 'a name cannot turn itself around');
  assert.ok((await texts(page.getByRole('region', { name: 'Top topics' }).locator('li a'))).includes(HOSTILE_TOPIC));
  await page.getByRole('link', { name: HOSTILE_USERS[0] }).click();
  await page.getByText('1 matches').waitFor();
  assert.deepEqual(await texts(page.locator('tbody .name')), [HOSTILE_USERS[0]]);
  await page.getByRole('button', { name: 'Details of 0-0-1' }).click();
  assert.ok((await texts(page.locator('dialog .selectors li'))).includes(HOSTILE_TOPIC));
});

test('nothing is kept for longer than the charts show', async (t) => {
  const hub = await startMock(t, { intervalMs: 1_000_000 });
  const page = await open(hub);
  await eventually('the page listens', () => hub.live.size === 1);
  const tooMany = 3 * 300;
  for (let second = 0; second < tooMany; second += 1) hub.tick();
  const evictedBefore = hub.closes.evicted;
  const evicted = page.locator('.reasons tr').filter({ hasText: 'evicted' }).locator('td');
  await eventually('all samples are read', async () => numberIn((await texts(evicted))[1]) === evictedBefore);
  const recent = numberIn((await texts(evicted))[0]);
  assert.ok(recent > 50 && recent < 200, `${recent} of 300 s with about 0.4 a second, not of ${tooMany} s`);
});

test('a table of connections is searched, sorted and paged', async (t) => {
  const hub = await startMock(t, { connections: 250 });
  const page = await open(hub, { view: 'connections' });
  const rows = page.locator('.list tbody tr');
  await page.getByText('250 match').waitFor();
  assert.equal(await rows.count(), 100);
  const next = page.getByRole('button', { name: 'Next' });
  await next.click();
  await page.getByText('101 to 200').waitFor();
  await next.click();
  await page.getByText('201 to 250').waitFor();
  assert.equal(await next.isDisabled(), true);
  await page.getByRole('button', { name: 'Previous' }).click();
  await page.getByText('101 to 200').waitFor();

  await page.getByRole('button', { name: 'Bytes' }).click();
  await page.locator('th[aria-sort=descending]', { hasText: 'Bytes' }).waitFor();
  await page.getByText('1 to 100').waitFor();
  await page.getByRole('button', { name: 'Bytes' }).click();
  await page.locator('th[aria-sort=ascending]', { hasText: 'Bytes' }).waitFor();
  await eventually('fewest bytes first', async () => /\b0 B\b/.test(await rows.first().innerText()));

  await page.locator('input[name=value]').fill('user-17');
  await page.getByRole('button', { name: 'Search' }).click();
  await page.getByText('2 match').waitFor();
  assert.deepEqual(await texts(page.locator('.list .name')), ['user-17', 'user-17']);
  assert.match(page.url(), /#\/connections\?by=user&value=user-17/);
  await page.goBack();
  await page.getByText('250 match').waitFor();
  await page.getByLabel('behind').check();
  await page.getByText('3 match').waitFor();
  await page.getByLabel('behind').uncheck();
  await page.getByLabel('Search by').selectOption('topic');
  await page.locator('input[name=value]').fill('orders/7');
  await page.locator('input[name=value]').press('Enter');
  await page.getByText('1 matches').waitFor();
  await page.locator('input[name=value]').fill('nothing');
  await page.locator('input[name=value]').press('Enter');
  await page.getByText('No connection matches.').waitFor();
});

test('names are suggested while somebody types', async (t) => {
  const hub = await startMock(t);
  const page = await open(hub, { view: 'connections' });
  await page.locator('input[name=value]').fill('user-2');
  const options = () => page.locator('datalist option').evaluateAll((all) => all.map((option) => option.value));
  await eventually('suggestions', async () => (await options()).includes('user-20'));
});

test('one connection, a user, and the subscribers of a topic are disconnected with a reason', async (t) => {
  const hub = await startMock(t, { connections: 60 });
  const page = await open(hub, { view: 'connections?by=user&value=user-4' });
  const confirm = page.locator('dialog').getByRole('button', { name: 'Disconnect', exact: true });
  const table = page.locator('.list');
  await page.getByText('2 match').waitFor();

  await table.getByRole('button', { name: 'Details of' }).first().click();
  await page.getByRole('button', { name: 'Disconnect…', exact: true }).click();
  await page.getByLabel('Reason').fill('spring cleaning');
  await confirm.click();
  await page.getByText('One connection was disconnected.').waitFor();
  await page.getByText('1 matches').waitFor();

  await page.getByRole('button', { name: 'Disconnect all…' }).click();
  await page.getByLabel('It may come back').check();
  await confirm.click();
  await page.getByText('0 match').waitFor();

  await page.goto(`${hub.url}#/connections?by=topic&value=news`);
  await page.getByText('19 match').waitFor();
  await page.getByRole('button', { name: 'Disconnect all…' }).click();
  await page.locator('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('dialog').waitFor({ state: 'detached' });
  assert.equal(hub.changes.length, 2, 'Escape changes nothing');
  await page.getByRole('button', { name: 'Disconnect all…' }).click();
  await confirm.click();
  await page.getByText('19 connections were disconnected.').waitFor();
  assert.deepEqual(
    hub.changes.map(({ method, path, body }) => [method, path, body]),
    [
      ['POST', '/api/disconnect', { connection: '1-9-1', reason: 'spring cleaning', reconnect: false }],
      ['POST', '/api/disconnect', { user: 'user-4', reconnect: true }],
      ['POST', '/api/disconnect', { topic: 'news', reconnect: false }],
    ],
  );
});

test('an anonymous client is known by its id, and disconnected by it', async (t) => {
  const hub = await startMock(t);
  const page = await open(hub);
  await page.getByRole('link', { name: 'anonymous tab-10' }).click();
  await page.getByText('1 matches').waitFor();
  await page.getByRole('button', { name: 'Disconnect all…' }).click();
  await page.getByText('all connections of the anonymous client tab-10').waitFor();
  await page.locator('dialog').getByRole('button', { name: 'Disconnect', exact: true }).click();
  await page.getByText('One connection was disconnected.').waitFor();
  assert.deepEqual(hub.changes[0].body, { user: 'tab-10', anonymous: true, reconnect: false });
});

test('a reason that is too long is refused before the hub is asked', async (t) => {
  const hub = await startMock(t, { connections: 20 });
  const page = await open(hub, { view: 'connections?by=user&value=user-4' });
  await page.getByRole('button', { name: 'Disconnect all…' }).click();
  await page.getByLabel('Reason').fill('ü'.repeat(101));
  await page.locator('dialog').getByRole('button', { name: 'Disconnect', exact: true }).click();
  await page.getByRole('alert').getByText('longer than 200 bytes').waitFor();
  assert.deepEqual(hub.changes, []);
});

test('a connection that has gone meanwhile is said to be gone', async (t) => {
  const hub = await startMock(t, { connections: 20 });
  const page = await open(hub, { view: 'connections', mayFail: true });
  await page.getByText('20 match').waitFor();
  hub.rows = [];
  await page.locator('.list tbody tr').first().click();
  await page.getByRole('alert').getByText('there is no connection').waitFor();
  await page.getByRole('button', { name: 'Close' }).click();
  await page.getByRole('button', { name: 'Refresh' }).click();
  await page.getByText('No connection matches.').waitFor();
});

test('the debugger receives what it publishes', async (t) => {
  const hub = await startMock(t);
  const page = await open(hub, { view: 'debugger' });
  const lines = page.locator('.lines li');
  await page.getByLabel('Topics, one a line').first().fill('orders/{id}\nnews');
  await page.getByRole('button', { name: 'Subscribe', exact: true }).click();
  await lines.getByText('open: 200 text/event-stream').waitFor();
  assert.deepEqual([...hub.debuggers][0].topics, ['orders/{id}', 'news']);

  const form = page.locator('form[name=publish]');
  await form.getByLabel('Topics, one a line').fill('news');
  await form.getByLabel('Type').fill('<b>bold</b>');
  await form.getByLabel('Data').fill('one\ntwo <script>window.pwned=1</script>');
  await form.getByLabel("Publisher's token").fill('a.b.c');
  await form.getByRole('button', { name: 'Publish' }).click();
  await form.getByText(/^m1\.4001 after/).waitFor();
  const line = lines.last();
  await line.getByText('one', { exact: false }).waitFor();
  assert.deepEqual(await line.locator('.type, .id, pre').allInnerTexts(), [
    '<b>bold</b>',
    'm1.4001',
    'one\ntwo <script>window.pwned=1</script>',
  ]);
  assert.deepEqual(hub.published, [
    {
      body: { topics: ['news'], data: 'one\ntwo <script>window.pwned=1</script>', type: '<b>bold</b>' },
      authorization: 'Bearer a.b.c',
    },
  ]);
});

test('the debugger shows control events, comes back with the last id, and can be stopped', async (t) => {
  const hub = await startMock(t);
  const page = await open(hub, { view: 'debugger' });
  const lines = page.locator('.lines li');
  await page.getByRole('button', { name: 'Subscribe', exact: true }).click();
  await lines.getByText('open: 200').waitFor();
  hub.send({ id: 'm1.7', data: 'seven' });
  for (const response of hub.debuggers) response.write('retry: 50\n\n');
  hub.send({ type: 'corecast.expiring', data: '{"reason":"token_expired"}' });
  await page.locator('[data-kind=control]').getByText('corecast.expiring').waitFor();
  hub.endDebuggers();
  await lines.getByText('coming back in 50 ms, from id m1.7').waitFor();
  await page.locator('[data-kind=control]').getByText('corecast.gap').waitFor();
  await page.getByRole('button', { name: 'Stop' }).click();
  await lines.getByText('closed by you').waitFor();
  await eventually('the stream is closed', () => hub.debuggers.size === 0);
});

test('the debugger says why it was refused', async (t) => {
  const hub = await startMock(t, { token: 'admin-secret' });
  const page = await open(hub, { mayFail: true });
  await unlock(page, 'admin-secret');
  await page.goto(`${hub.url}#/debugger`);
  await page.getByLabel('Token', { exact: false }).first().fill('bad');
  await page.getByRole('button', { name: 'Subscribe', exact: true }).click();
  await page.locator('[data-kind=problem]').getByText('401: the token is no JWT').waitFor();
  await page.getByText('not subscribed').waitFor();
  const form = page.locator('form[name=publish]');
  await form.getByLabel('Topics, one a line').fill('news');
  await form.getByRole('button', { name: 'Publish' }).click();
  await form.getByText('publishing needs a token').waitFor();
  assert.equal(await page.locator('dialog').count(), 0, "the hub's 401 is not the admin API's");
});

test('the debugger keeps 500 lines, pauses and clears', async (t) => {
  const hub = await startMock(t);
  const page = await open(hub, { view: 'debugger' });
  const lines = page.locator('.lines li');
  await page.getByRole('button', { name: 'Subscribe', exact: true }).click();
  await lines.getByText('open: 200').waitFor();
  for (let number = 0; number < 700; number += 1) hub.send({ id: `m1.${number}`, data: `event ${number}` });
  await page.getByText('700 events').waitFor();
  await lines.getByText('event 699', { exact: true }).waitFor();
  assert.equal(await lines.count(), 500);
  await page.getByRole('button', { name: 'Pause' }).click();
  for (let number = 700; number < 712; number += 1) hub.send({ data: `event ${number}` });
  await page.getByRole('button', { name: 'Go on (12 new)' }).waitFor();
  assert.equal(await lines.getByText('event 711', { exact: true }).count(), 0);
  // Another view and back: what has come is still there.
  await page.getByRole('link', { name: 'Overview' }).click();
  await page.getByRole('link', { name: 'Debugger' }).click();
  await page.getByRole('button', { name: 'Go on (12 new)' }).click();
  await lines.getByText('event 711', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Clear' }).click();
  await page.getByText('Nothing has come.').waitFor();
});

async function unlock(page, token) {
  await page.locator('dialog').getByLabel('Token of').fill(token);
  await page.locator('dialog').getByRole('button', { name: 'Unlock' }).click();
}

test('a token is asked for, checked, and kept for the tab', async (t) => {
  const hub = await startMock(t, { token: 'admin-secret' });
  const page = await open(hub, { mayFail: true });
  await page.locator('dialog').waitFor();
  await page.getByText('locked').waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await unlock(page, 'wrong');
  await page.getByRole('alert').getByText('The token was refused.').waitFor();
  await unlock(page, 'admin-secret');
  await eventually('numbers', async () => numberIn(await tile(page, 'Streams').innerText()) > 0);
  assert.equal(await page.locator('dialog').count(), 0);
  await page.reload();
  await eventually('numbers again', async () => numberIn(await tile(page, 'Streams').innerText()) > 0);
  assert.equal(await page.evaluate(() => localStorage.length), 0, 'it ends with the tab');
  await page.goto(`${hub.url}#/settings`);
  await page.getByRole('button', { name: 'Forget it' }).click();
  await page.locator('dialog').waitFor();
});

test('a hub that is lost is said to be, and found again after its restart', async (t) => {
  const hub = await startMock(t, { intervalMs: 40 });
  const page = await open(hub, { mayFail: true });
  await eventually('a rate', async () => numberIn(await tile(page, 'Deliveries / s').innerText()) > 10_000);
  const before = numberIn(await tile(page, 'Deliveries / s').innerText());
  // Every rate from here on, as it is shown.
  await page.evaluate(() => {
    window.rates = [];
    const look = () => {
      for (const value of document.querySelectorAll('.tile .value, .legend b, .shards td, .reasons td')) {
        window.rates.push(value.textContent);
      }
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  await hub.lose();
  await page.getByRole('status').getByText('The hub does not answer.').waitFor();
  assert.equal(await page.locator('.pill').innerText(), 'lost');
  assert.match(await page.title(), /^lost: corecast 127/);
  await hub.comeBack();
  await page.getByText('The hub does not answer.').waitFor({ state: 'detached' });
  await eventually('a rate', async () => numberIn(await tile(page, 'Deliveries / s').innerText()) > 10_000);
  const shown = await page.evaluate(() => window.rates);
  assert.ok(shown.length > 20);
  assert.deepEqual(
    shown.filter((text) => /^[-−]\d/.test(text)),
    [],
    'no rate is negative',
  );
  const label = await page
    .getByRole('region', { name: 'Deliveries per second' })
    .getByRole('img')
    .getAttribute('aria-label');
  const highest = numberIn(label.match(/highest ([\d.,kM]+)/)[1].replace(/\.$/, ''));
  assert.ok(highest < 10 * before, `${label}: the restart is no peak`);
});

test('a hub that falls silent is lost, too', async (t) => {
  const hub = await startMock(t);
  const page = await open(hub);
  await eventually('a rate', async () => numberIn(await tile(page, 'Deliveries / s').innerText()) > 0);
  clearInterval(hub.timer);
  await page.getByText('the hub has fallen silent').waitFor();
});

test('a hub that has no place for another page is not called lost', async (t) => {
  const hub = await startMock(t, { livePlaces: 0 });
  const page = await open(hub, { mayFail: true });
  await page.getByText('The hub sends no numbers to this page.').waitFor();
  await page.getByText('all places of live streams are taken').waitFor();
  hub.settings.livePlaces = 1;
  await eventually('numbers', async () => numberIn(await tile(page, 'Streams').innerText()) > 0);
});

test('a tab that nobody looks at gives its stream back', async (t) => {
  const hub = await startMock(t);
  const page = await open(hub);
  await page.clock.install();
  await eventually('a stream', () => hub.live.size === 1);
  const show = (state) =>
    page.evaluate((wanted) => {
      Object.defineProperty(document, 'visibilityState', { value: wanted, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, state);
  await show('hidden');
  await page.clock.fastForward('04:00');
  await show('visible');
  await show('hidden');
  await page.clock.fastForward('04:00');
  // The clock has jumped, so that the page takes the hub for silent: it comes back, as it has not slept for long enough.
  await eventually('a stream', () => hub.live.size === 1);
  await page.clock.fastForward('01:01');
  await eventually('no stream', () => hub.live.size === 0);
  await page.clock.fastForward('00:30');
  await page.evaluate(() => fetch('/api/hub'));
  assert.equal(hub.live.size, 0, 'it stays away');
  await show('visible');
  await eventually('a stream again', () => hub.live.size === 1);
});

test('draining is confirmed, and its progress shown', async (t) => {
  const hub = await startMock(t, { intervalMs: 200 });
  const page = await open(hub, { view: 'settings' });
  await page.getByRole('button', { name: 'Drain and stop…' }).click();
  await page.getByRole('button', { name: 'Cancel' }).click();
  assert.deepEqual(hub.changes, []);
  await page.getByRole('button', { name: 'Drain and stop…' }).click();
  await page.getByRole('button', { name: 'Drain', exact: true }).click();
  await page.getByText(/^Draining: [\d,]+ of [\d,]+ streams are gone/).waitFor();
  assert.deepEqual(
    hub.changes.map((change) => [change.method, change.path]),
    [['POST', '/api/drain']],
  );
  assert.equal(await page.getByRole('button', { name: 'Draining' }).isDisabled(), true);
  const share = () => page.getByRole('progressbar').evaluate((bar) => bar.value);
  const first = await share();
  await eventually('progress', async () => (await share()) > first);
  assert.equal(await page.locator('.state .pill').innerText(), 'draining');
});

test('settings are reloaded after a confirmation, and the outcome shown', async (t) => {
  const hub = await startMock(t);
  const page = await open(hub, { view: 'settings', mayFail: true });
  const reload = async () => {
    await page.getByRole('button', { name: 'Reload settings…' }).click();
    await page.getByRole('button', { name: 'Reload', exact: true }).click();
  };
  await reload();
  await page.locator('.outcome').waitFor();
  assert.match(
    await page.locator('.outcome').innerText(),
    /limits\.per_user 1 → 3[\s\S]*Needs a restart[\s\S]*hub\.shards 4 → 8/,
  );
  hub.reloaded = {
    title: 'Unprocessable Content',
    status: 422,
    detail: 'hub.listn is no setting; did you mean listen?\nlimits.per_user = -1 is below the minimum 0',
  };
  await reload();
  assert.equal(await page.locator('dialog').getByRole('alert').innerText(), hub.reloaded.detail);
});

test('the settings in force are shown and found', async (t) => {
  const hub = await startMock(t);
  const page = await open(hub, { view: 'settings' });
  const rows = page.locator('.config tr');
  await rows.filter({ hasText: 'hmac_key_file' }).waitFor();
  assert.match(await rows.filter({ hasText: 'shards' }).innerText(), /shards\s+4/);
  assert.match(
    await rows.filter({ has: page.getByText('hmac_key', { exact: true }) }).innerText(),
    /hmac_key\s+not set/,
  );
  assert.match(await rows.filter({ hasText: 'token' }).innerText(), /token\s+\(secret\)/);
  await page.getByLabel('Find a setting').fill('per_');
  await rows.filter({ hasText: 'hmac_key_file' }).waitFor({ state: 'detached' });
  assert.deepEqual(await texts(page.locator('.config code')), ['per_user', 'per_user_policy', 'per_ip']);
  assert.equal(await fact(page, 'Hub', 'Driver').innerText(), 'uring');
});

test('the log level is changed, and a bad one refused', async (t) => {
  const hub = await startMock(t);
  const page = await open(hub, { view: 'settings', mayFail: true });
  const card = page.getByRole('region', { name: 'Log level' });
  const field = card.getByRole('textbox');
  await eventually('the level', async () => (await field.inputValue()) === 'info');
  await field.fill('info,corecast::shard=debug');
  await card.getByRole('button', { name: 'Apply' }).click();
  await card.getByText('in force').waitFor();
  assert.equal(hub.level, 'info,corecast::shard=debug');
  await field.fill('LOUD!');
  await card.getByRole('button', { name: 'Apply' }).click();
  await card.getByText('"LOUD!" is no directive').waitFor();
});

test('a dry run says what it would have done', async (t) => {
  const hub = await startMock(t, { dryRun: true });
  const page = await open(hub);
  await page.getByText('Dry run:').waitFor();
  assert.match(await page.locator('.reasons').innerText(), /Would have been, without the dry run\s+user limit/);
});

test('a quiet hub without a log has no numbers to invent', async (t) => {
  const hub = await startMock(t, { isBusy: false, log: false, connections: 0 });
  const page = await open(hub);
  await eventually('a rate', async () => (await tile(page, 'Deliveries / s').innerText()) === '0');
  assert.equal(await tile(page, 'Latency p99').innerText(), '–');
  await page.getByText('Events are kept in memory').waitFor();
});

test('dark and light follow the system until somebody switches', async (t) => {
  const hub = await startMock(t);
  const isDark = async (page) => (await background(page, '.card >> nth=0'))[0] < 100;
  const page = await open(hub, { colorScheme: 'dark' });
  await page.locator('.tile').first().waitFor();
  assert.equal(await isDark(page), true);
  await page.getByRole('button', { name: 'Switch to light' }).click();
  assert.equal(await isDark(page), false);
  await page.reload();
  await page.locator('.tile').first().waitFor();
  assert.equal(await isDark(page), false, 'the choice is kept');
  await page.getByRole('button', { name: 'Switch to dark' }).click();
  assert.equal(await isDark(page), true);
  await page.emulateMedia({ colorScheme: 'light' });
  await eventually('it follows the system again', async () => !(await isDark(page)));
});

test('a phone scrolls in one direction', async (t) => {
  const hub = await startMock(t);
  const page = await open(hub, { viewport: { width: 375, height: 700 }, hasTouch: true, isMobile: true });
  for (const view of VIEWS) {
    await page.goto(`${hub.url}#/${view}`);
    await page.locator('main .card').first().waitFor();
    if (view === 'connections') await page.locator('.list tbody tr').first().waitFor();
    const { content, seen } = await page.evaluate(() => ({
      content: document.documentElement.scrollWidth,
      seen: innerWidth,
    }));
    assert.equal(seen, 375, view);
    assert.ok(content <= 375, `${view} is ${content} px wide`);
  }
});

test('the keyboard reaches everything, and dialogs give the focus back', async (t) => {
  const hub = await startMock(t, { connections: 20 });
  const page = await open(hub, { view: 'connections' });
  await page.getByText('20 match').waitFor();
  const focused = () =>
    page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent);
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Skip to the content');
  await page.keyboard.press('Enter');
  assert.equal(await focused(), 'Connections');
  const details = page.getByRole('button', { name: 'Details of' }).first();
  const name = await details.getAttribute('aria-label');
  await details.focus();
  await page.keyboard.press('Enter');
  await page.locator('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('dialog').waitFor({ state: 'detached' });
  assert.equal(await focused(), name);
});
