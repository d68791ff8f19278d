// Lives the owner's table in all three ways, and writes what the hub held and what tabs saw: figures and a plot.
//
//     run.mjs [--users N] [--seed S] [--out FOLDER]      or, to draw again what was written:      run.mjs --draw FOLDER

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { liveDay } from './day.mjs';
import { plotOf } from './plot.mjs';
import { scheduleOf } from './schedule.mjs';
import { WAYS } from './ways.mjs';

/** So long that a browser on two cores can open all tabs in time; `retry` is the hub's default. */
const MS_PER_USER = 800;
const LENGTH_MIN_MS = 30_000;
const PACE = { eventMs: 3000, sampleMs: 500, retry: '3s' };

const { values } = parseArgs({
  options: {
    users: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    out: { type: 'string', default: 'owners-table' },
    draw: { type: 'string' },
  },
});

if (values.draw) await draw(values.draw, JSON.parse(await readFile(join(values.draw, 'owners-table.json'), 'utf8')));
else await measure(Number(values.users), Number(values.seed), values.out);

async function measure(users, seed, folder) {
  const pace = { ...PACE, lengthMs: Math.max(LENGTH_MIN_MS, users * MS_PER_USER) };
  const schedule = scheduleOf({ users, seed, lengthMs: pace.lengthMs });
  const command = `scripts/owners-table --users ${users} --seed ${seed}`;
  console.log(`${command}: three days of ${pace.lengthMs / 1000} s`);
  await mkdir(folder, { recursive: true });
  const table = { command, users, seed, ...pace, days: [] };
  for (const way of WAYS) {
    table.days.push(await inTurn((t) => liveDay(t, way, schedule, pace)));
    await writeFile(join(folder, 'owners-table.json'), written(table));
  }
  await draw(folder, table);
  process.exitCode = isKept(table) ? 0 : 1;
}

/** Runs one day, and ends what it began before the next: each has the machine for itself. */
async function inTurn(run) {
  const ends = [];
  try {
    const day = await run({ after: (end) => ends.unshift(end) });
    const { samples, ...figures } = day;
    console.log(figures);
    return day;
  } finally {
    for (const end of ends) await end();
  }
}

/** What the owner wants: with a limit one connection a user, at every sample, and with the client no event missed. */
function isKept({ users, days }) {
  const [unlimited, limited, client] = days;
  const claims = {
    'without a limit there are more than twice as many connections as users': unlimited.peak > 2 * users,
    'with the limit there are never more connections than users': limited.peak <= users && client.peak <= users,
    'with the client all tabs have the last event': client.isSettled && client.blind === 0,
    'with the client no event is missed, doubled or out of order': client.missed + client.again + client.gaps === 0,
  };
  for (const [claim, holds] of Object.entries(claims)) console.log(`${holds ? 'holds' : 'FAILS'}: ${claim}`);
  return Object.values(claims).every(Boolean);
}

async function draw(folder, table) {
  await writeFile(join(folder, 'owners-table.svg'), plotOf(table));
}

/** A sample a line would make thousands of lines. */
function written(table) {
  return `${JSON.stringify(table, null, 1).replace(/\[\s+([\d,\s]+?)\s+\]/g, (_, list) => `[${list.replace(/\s+/g, '')}]`)}\n`;
}
