// A line chart of the last five minutes, drawn by uPlot. All charts share one crosshair.

import { useEffect, useId, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';

import { UNKNOWN } from './format';
import { scheme } from './theme';
import { WINDOW_SECONDS } from './timeline';
import type { Point } from './timeline';

export interface Line {
  label: string;
  /** A custom property of the style sheet. */
  colour: `--${string}`;
  of: (point: Point) => number | null;
  isFilled?: boolean;
  isThin?: boolean;
}

interface ChartProps {
  title: string;
  /** What exactly is measured; read out, and shown where there is room. */
  note?: string;
  points: Point[];
  lines: Line[];
  shown: (value: number | null) => string;
  /** Powers of ten: for values that differ a thousandfold, of which none is zero. */
  isLogarithmic?: boolean;
  /** Every line at least this high, so that noise does not fill the chart. */
  topMin?: number;
  /** Grid lines at powers of two: for bytes. */
  isBinary?: boolean;
}

const HEIGHT = 148;
const AXIS_WIDTH = 58;
const SYNC = uPlot.sync('live');
const MINUTE = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const SECOND = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

/** From a byte to a petabyte. */
const POWERS_OF_TWO = Array.from({ length: 51 }, (_, exponent) => 2 ** exponent);

/** Below this a logarithmic axis would need more decades than say anything. */
const LOG_BOTTOM = 0.01;

export function Chart(props: ChartProps) {
  const { title, note, points, lines, shown } = props;
  const titleId = useId();
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const [hovered, setHovered] = useState<number | null>(null);
  const colours = scheme();

  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const plot = new uPlot(optionsOf(element, latest, setHovered), columnsOf(latest.current), element);
    chart.current = plot;
    const resized = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      plot.destroy();
    };
  }, []);
  useEffect(() => chart.current?.setData(columnsOf(props)), [points.at(-1)?.at, points.length]);
  useEffect(() => chart.current?.redraw(false), [colours]);

  const point = (hovered === null ? undefined : points[hovered]) ?? points.at(-1);
  return (
    <section class="card chart" aria-labelledby={titleId}>
      <div class="card-head">
        <h2 id={titleId} title={note}>
          {title}
        </h2>
        <ul class="legend">
          {hovered !== null && point !== undefined && <li class="when">{SECOND.format(point.at * 1000)}</li>}
          {lines.map((line) => (
            <li key={line.label}>
              {lines.length > 1 && <i style={{ background: `var(${line.colour})` }} />}
              {lines.length > 1 && <span class="quiet">{line.label}</span>}
              <b>{point === undefined ? UNKNOWN : shown(line.of(point))}</b>
            </li>
          ))}
        </ul>
      </div>
      <div class="plot" ref={box} role="img" aria-label={summaryOf(props)} />
    </section>
  );
}

/** For who cannot see the lines. */
function summaryOf({ title, note, points, lines, shown }: ChartProps): string {
  const parts = lines.map(({ label, of }) => {
    const known = points.map(of).filter((value) => value !== null);
    if (known.length === 0) return `${label}: nothing yet`;
    return `${label}: now ${shown(points.at(-1) === undefined ? null : of(points.at(-1)!))}, highest ${shown(Math.max(...known))}`;
  });
  return `${title}${note === undefined ? '' : `, ${note}`}, last five minutes. ${parts.join('. ')}.`;
}

function columnsOf({ points, lines, isLogarithmic = false }: ChartProps): uPlot.AlignedData {
  const value = isLogarithmic
    ? (of: Line['of']) => (point: Point) => {
        const known = of(point);
        return known === null ? null : Math.max(known, LOG_BOTTOM);
      }
    : (of: Line['of']) => of;
  return [points.map((point) => point.at), ...lines.map((line) => points.map(value(line.of)))];
}

function optionsOf(
  element: HTMLElement,
  latest: { current: ChartProps },
  onHover: (index: number | null) => void,
): uPlot.Options {
  const { lines, isLogarithmic = false, isBinary = false } = latest.current;
  const font = `11px ${getComputedStyle(element).fontFamily}`;
  const colour = (name: string) => () => resolved(element, name);
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    padding: [8, 10, 0, 0],
    cursor: {
      y: false,
      drag: { x: false, y: false, setScale: false },
      points: { size: 6, width: 1.5, fill: (_, index) => resolved(element, lines[index - 1]?.colour ?? '--ink') },
      sync: { key: SYNC.key, setSeries: false },
    },
    scales: {
      x: { time: true, range: (_plot, _min, max) => windowBefore(max) },
      y: isLogarithmic
        ? { distr: 3, range: (_plot, min, max) => decadesOf(min, max) }
        : { range: (_plot, _min, max) => [0, headroomOver(max, latest.current.topMin ?? 1)] },
    },
    axes: [
      {
        stroke: colour('--quiet'),
        font,
        size: 24,
        gap: 4,
        grid: { show: false },
        ticks: { stroke: colour('--line'), width: 1, size: 4 },
        incrs: [60, 300],
        space: 40,
        values: (_plot, splits) => splits.map((at) => MINUTE.format(at * 1000)),
      },
      {
        stroke: colour('--quiet'),
        font,
        size: AXIS_WIDTH,
        gap: 6,
        grid: { stroke: colour('--line'), width: 1 },
        ticks: { show: false },
        space: 34,
        ...(isBinary ? { incrs: POWERS_OF_TWO } : {}),
        ...(isLogarithmic
          ? {
              splits: (_plot: uPlot, _axis: number, min: number, max: number) => decadesBetween(min, max),
              filter: (_plot: uPlot, splits: number[]) => splits,
            }
          : {}),
        values: (_plot, splits) => splits.map((value) => withoutZeros(latest.current.shown(value))),
      },
    ],
    series: [
      {},
      ...lines.map((line): uPlot.Series => ({
        label: line.label,
        stroke: colour(line.colour),
        width: line.isThin === true ? 1 : 1.5,
        points: { show: false },
        ...(line.isFilled === true ? { fill: colour(`${line.colour}-fill`) } : {}),
      })),
    ],
    hooks: { setCursor: [(plot) => onHover(plot.cursor.idx ?? null)] },
  };
}

/** Custom properties may say `light-dark()`, which a canvas does not understand: the browser is asked for the colour. */
function resolved(element: HTMLElement, name: string): string {
  element.style.setProperty('color', `var(${name})`);
  const { color } = getComputedStyle(element);
  element.style.removeProperty('color');
  return color;
}

/** Marks of an axis are round: 64 MiB, where a value would be 64.0 MiB. */
function withoutZeros(text: string): string {
  return text.replace(/\.0+(?=\D|$)/, '');
}

function windowBefore(end: number | null): [number, number] {
  const known = end ?? Date.now() / 1000;
  return [known - WINDOW_SECONDS, known];
}

/** A little more than what is drawn, so that the line keeps off the edge. */
function headroomOver(max: number | null, min: number): number {
  return Math.max((max ?? 0) * 1.12, min);
}

/** Whole decades around what is drawn. */
function decadesOf(min: number | null, max: number | null): [number, number] {
  const low = 10 ** Math.floor(Math.log10(Math.max(min ?? 1, LOG_BOTTOM)));
  const high = 10 ** Math.ceil(Math.log10(Math.max(max ?? 10, LOG_BOTTOM)));
  return [low, Math.max(high, 10 * low)];
}

function decadesBetween(min: number, max: number): number[] {
  const first = Math.round(Math.log10(min));
  const last = Math.round(Math.log10(max));
  return Array.from({ length: last - first + 1 }, (_, step) => 10 ** (first + step));
}
