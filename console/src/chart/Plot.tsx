import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { shortCount } from '../show/numbers';
import { Clock, useClock } from '../time/zone';
import styles from './Plot.module.css';

/** What a drawing takes from the page: its colours, its letters, its zone. */
export interface Look {
  colour(name: string): string;
  font: string;
  zone: string;
}

interface Props {
  /** What is seen in it, for those who do not see it. */
  label: string;
  height: number;
  columns: uPlot.AlignedData | undefined;
  /** How it is drawn. Keep it the same while it draws the same. */
  options(look: Look): Partial<uPlot.Options>;
  /** A part of the time was chosen by dragging. */
  onWindow?(from: number, to: number): void;
  className?: string;
}

/** Something over time. One drags over it to look closer. */
export function Plot({ label, height, columns, options, onWindow, className }: Props) {
  const clock = useClock();
  const scheme = useComputedColorScheme('light');
  const place = useRef<HTMLDivElement>(null);
  const onWindowNow = useRef(onWindow);
  onWindowNow.current = onWindow;
  useEffect(() => {
    const box = place.current;
    if (!box || !columns) return;
    const { hooks, ...drawn } = overTime(look(clock.zone), (from, to) => onWindowNow.current?.(from, to));
    const own = options(look(clock.zone));
    const size = { width: box.clientWidth, height, class: `plot-${scheme}` };
    const all = { ...drawn, ...own, ...size, series: own.series ?? [], hooks: { ...hooks, ...own.hooks } };
    const plot = new uPlot(all as uPlot.Options, columns, box);
    const watch = new ResizeObserver(() => plot.setSize({ width: box.clientWidth, height }));
    watch.observe(box);
    return () => {
      watch.disconnect();
      plot.destroy();
    };
  }, [columns, options, height, clock.zone, scheme]);
  return (
    <div ref={place} className={`${styles.plot} ${className ?? ''}`} style={{ height }} role="img" aria-label={label} />
  );
}

function look(zone: string): Look {
  const style = getComputedStyle(document.documentElement);
  return {
    colour: (name) => style.getPropertyValue(name).trim(),
    font: `11px ${style.getPropertyValue('--mantine-font-family')}`,
    zone,
  };
}

/** What all drawings over time have in common. */
function overTime({ zone }: Look, onWindow: (from: number, to: number) => void): Partial<uPlot.Options> {
  return {
    padding: [6, 12, 0, 0],
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false } },
    scales: { x: { time: true } },
    hooks: {
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          if (width > 4) onWindow(plot.posToVal(left, 'x') * 1000, plot.posToVal(left + width, 'x') * 1000);
          plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
        },
      ],
    },
  };
}

/** The axis of time: `14:00`, seconds where it is short, and the date where a day begins. */
export function timeAxis({ colour, font, zone }: Look): uPlot.Axis {
  const clock = new Clock(zone);
  const told = (seconds: number, step: number) => {
    const time = clock.time(seconds * 1000);
    if (time === '00:00:00') return clock.date(seconds * 1000);
    if (step < 1) return clock.exact(seconds * 1000).slice(3);
    return step < 60 ? time : time.slice(0, -3);
  };
  return {
    stroke: colour('--quiet'),
    font,
    ticks: { show: false },
    grid: { show: false },
    size: 20,
    gap: 2,
    space: 64,
    values: (_, splits) => splits.map((seconds) => told(seconds, (splits[1] ?? 0) - (splits[0] ?? 0))),
  };
}

/** The axis of how many: nothing and the most. */
export function countAxis({ colour, font }: Look, told: (n: number) => string = shortCount): uPlot.Axis {
  return {
    stroke: colour('--quiet'),
    font,
    ticks: { show: false },
    grid: { stroke: colour('--line'), width: 1 },
    size: 52,
    gap: 6,
    splits: (_, __, ___, max) => [0, Math.floor(max)],
    values: (_, all) => all.map((n) => told(Math.round(n))),
  };
}

/** Bars of one colour. */
export function bars({ colour }: Look, label: string, fill: string): uPlot.Series {
  return {
    label,
    fill: colour(fill),
    stroke: colour(fill),
    width: 0,
    paths: uPlot.paths.bars?.({ size: [0.86, 40], align: 1 }),
    points: { show: false },
  };
}
