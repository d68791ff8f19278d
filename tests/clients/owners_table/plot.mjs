// Draws the connections of all ways over the day, as an SVG that is readable on light and on dark pages.
//
// The looks are those of the plots of `bench/` (`bench/src/report/plots/ink.rs`): drawn in light colours, with a style sheet
// that replaces each by its dark counterpart where the reader prefers that.

import { WAYS } from './ways.mjs';

const INKS = {
  ground: ['#fffffe', '#14171b'],
  words: ['#24292f', '#d8dee4'],
  axis: ['#57606a', '#8b949e'],
  grid: ['#e4e7eb', '#2b3138'],
  tabs: ['#8c959f', '#767f89'],
  unlimited: ['#0072b2', '#4aa8e0'],
  limited: ['#009e73', '#2fc79b'],
  client: ['#d55e00', '#ff8a3d'],
};

const WIDTHS = { unlimited: 2, limited: 1.5, client: 4 };

const WIDTH = 900;
const HEIGHT = 480;
const LEFT = 64;
const RIGHT = 28;
const TOP = 132;
const BOTTOM = 48;
const LEGEND_LINE = 23;

/** Samples within this are one point, the highest of them: no peak is lost. */
const POINT_MS = 1000;

/** The plot of `table`, as `run.mjs` writes it. */
export function plotOf(table) {
  const days = WAYS.map((way) => ({ way, day: table.days.find(({ way: name }) => name === way.name) }));
  const lengthMs = Math.max(...days.map(({ day }) => day.samples.at(-1)[0]));
  const highest = Math.max(...days.map(({ day }) => day.peak));
  const top = Math.ceil((highest * 1.05) / 100) * 100;
  const x = (ms) => round(LEFT + ((WIDTH - LEFT - RIGHT) * ms) / lengthMs);
  const y = (count) => round(HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * count) / top);
  const parts = [
    ...grid(table, x, y, lengthMs, top),
    curve(points(days[0].day.samples, 2), x, y, `stroke="${light('tabs')}" stroke-width="1.5" stroke-dasharray="2 3"`),
    // The widest first: where two run together, both are seen.
    ...[...days].reverse().map(({ way, day }) =>
      curve(points(day.samples, 1), x, y, `stroke="${light(way.name)}" stroke-width="${WIDTHS[way.name]}"`),
    ),
    ...legend(table, days),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" \
font-family="DejaVu Sans, Verdana, Liberation Sans, Arial, sans-serif" font-size="13" fill="${light('words')}">
<title>Connections that the hub holds for ${table.users} users</title>
<desc>${table.command}</desc>
<style>@media screen and (prefers-color-scheme: dark) { ${Object.values(INKS).map(darkRule).join(' ')} }</style>
<rect width="100%" height="100%" fill="${light('ground')}"/>
${parts.join('\n')}
</svg>
`;
}

function grid({ users }, x, y, lengthMs, top) {
  const lines = [];
  const step = stepOf(top, 6);
  for (let count = 0; count <= top; count += step) {
    const ink = count === 0 ? 'axis' : 'grid';
    lines.push(`<path d="M${LEFT} ${y(count)}H${WIDTH - RIGHT}" stroke="${light(ink)}"/>`);
    lines.push(words(LEFT - 8, y(count) + 4, grouped(count), 'end'));
  }
  lines.push(`<path d="M${LEFT} ${y(users)}H${WIDTH - RIGHT}" stroke="${light('words')}" stroke-dasharray="7 4"/>`);
  const seconds = stepOf(lengthMs / 1000, 8);
  for (let at = 0; at * 1000 <= lengthMs; at += seconds) lines.push(words(x(at * 1000), HEIGHT - BOTTOM + 20, `${at} s`, 'middle'));
  lines.push(words(LEFT, TOP - 14, 'connections that the hub holds', 'start', 'axis'));
  lines.push(words(WIDTH - RIGHT, y(users) - 8, `one for each of ${users} users`, 'end', 'axis'));
  return lines;
}

function legend(table, days) {
  const rows = days.map(({ way, day }) => ({
    ink: way.name,
    look: `stroke-width="${WIDTHS[way.name]}"`,
    text: `${way.title}: ${told(day)}`,
  }));
  rows.push({ ink: 'tabs', look: 'stroke-width="1.5" stroke-dasharray="2 3"', text: 'tabs that are open' });
  return rows.map(({ ink, look, text }, row) => {
    const at = 20 + row * LEGEND_LINE;
    return `<path d="M20 ${at}h28" stroke="${light(ink)}" ${look}/>${words(58, at + 4.5, text, 'start')}`;
  });
}

/** What a day's legend says of it. */
function told({ peak, due, missed, survived, blind }) {
  const share = (100 * missed) / due;
  const missing = missed === 0 ? 'no event missed' : `${share < 0.1 ? 'under 0.1' : share.toFixed(share < 10 ? 1 : 0)} % of events missed`;
  const blindness = blind === 0 ? '' : `, ${grouped(blind)} of ${grouped(survived)} tabs cut off at the end`;
  return `up to ${grouped(peak)} connections, ${missing}${blindness}`;
}

/** The highest of column `index` in each `POINT_MS`. */
function points(samples, index) {
  const highest = new Map();
  for (const sample of samples) {
    const at = Math.floor(sample[0] / POINT_MS) * POINT_MS;
    highest.set(at, Math.max(highest.get(at) ?? 0, sample[index]));
  }
  return [...highest];
}

function curve(list, x, y, look) {
  const path = list.map(([at, count]) => `${x(at)} ${y(count)}`).join('L');
  return `<path d="M${path}" fill="none" stroke-linejoin="round" ${look}/>`;
}

function words(x, y, text, anchor, ink = 'words') {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="${light(ink)}">${escaped}</text>`;
}

/** A round step that divides `range` into at most `count` parts. */
function stepOf(range, count) {
  const power = 10 ** Math.floor(Math.log10(range / count));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => range / step <= count);
}

const light = (name) => INKS[name][0];

const darkRule = ([on, off]) => `[fill="${on}"] { fill: ${off} } [stroke="${on}"] { stroke: ${off} }`;

const round = (number) => Math.round(number * 10) / 10;

const grouped = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ',');
