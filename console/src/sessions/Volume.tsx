import { useComputedColorScheme } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { counted, shortCount } from '../show/numbers';
import { Clock, useClock } from '../time/zone';
import { type Asked, volumeQuestion } from './questions';
import styles from './Volume.module.css';

const HEIGHT = 74;

interface Props {
  asked: Asked;
  /** A part of the time was chosen. */
  onWindow(from: number, to: number): void;
}

/** Requests over the time of the window, failures on top of each other. One drags over it to look closer. */
export function Volume({ asked, onWindow }: Props) {
  const { data } = useQuery(volumeQuestion(asked));
  const clock = useClock();
  const scheme = useComputedColorScheme('light');
  const place = useRef<HTMLDivElement>(null);
  const onWindowNow = useRef(onWindow);
  onWindowNow.current = onWindow;
  const columns = useMemo(() => data && stacked(data), [data]);
  useEffect(() => {
    const box = place.current;
    if (!box || !columns) return;
    const plot = new uPlot(
      options(box.clientWidth, clock.zone, scheme, (from, to) => onWindowNow.current(from, to)),
      columns,
      box,
    );
    const watch = new ResizeObserver(() => plot.setSize({ width: box.clientWidth, height: HEIGHT }));
    watch.observe(box);
    return () => {
      watch.disconnect();
      plot.destroy();
    };
  }, [columns, clock.zone, scheme]);
  const failed = data?.series.reduce((sum, step) => sum + (step.errors ?? 0), 0) ?? 0;
  const told = data
    ? `${counted(data.requests, 'request')}, ${counted(failed, 'answer')} with 5xx, in steps of time`
    : 'Requests over time';
  return <div ref={place} className={styles.volume} role="img" aria-label={told} />;
}

interface Told {
  from: number;
  to: number;
  ms: number;
  series: { from: string; requests: number; errors?: number | null; client_errors?: number | null }[];
}

/** Columns for a drawing of bars one before the other: all, those with 4xx or 5xx, those with 5xx. */
function stacked({ from, to, ms, series }: Told): uPlot.AlignedData {
  const known = new Map(series.map((step) => [Date.parse(step.from), step]));
  const [times, all, refused, failed]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let at = Math.floor(from / ms) * ms; at <= to; at += ms) {
    const step = known.get(at);
    times.push(at / 1000);
    all.push(step?.requests ?? 0);
    refused.push((step?.errors ?? 0) + (step?.client_errors ?? 0));
    failed.push(step?.errors ?? 0);
  }
  return [times, all, refused, failed];
}

function options(width: number, zone: string, scheme: string, onWindow: Props['onWindow']): uPlot.Options {
  const look = getComputedStyle(document.documentElement);
  const colour = (name: string) => look.getPropertyValue(name).trim();
  const bars = uPlot.paths.bars?.({ size: [0.86, 40], align: 1 });
  const series = (label: string, fill: string): uPlot.Series => ({
    label,
    fill: colour(fill),
    stroke: colour(fill),
    width: 0,
    paths: bars,
    points: { show: false },
  });
  const axis: uPlot.Axis = {
    stroke: colour('--quiet'),
    font: `11px ${look.getPropertyValue('--mantine-font-family')}`,
    ticks: { show: false },
    grid: { stroke: colour('--line'), width: 1 },
  };
  return {
    width,
    height: HEIGHT,
    padding: [6, 0, 0, 0],
    class: `volume-${scheme}`,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false } },
    scales: { x: { time: true } },
    series: [{}, series('requests', '--volume'), series('4xx', '--refused-fill'), series('5xx', '--failed-fill')],
    axes: [
      { ...axis, grid: { show: false }, size: 20, gap: 2, values: hours(zone) },
      {
        ...axis,
        size: 44,
        gap: 6,
        splits: (_, __, ___, max) => [0, Math.floor(max)],
        values: (_, all) => all.map((n) => shortCount(Math.round(n))),
      },
    ],
    hooks: {
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          if (width > 4) onWindow(plot.posToVal(left, 'x') * 1000, plot.posToVal(left + width, 'x') * 1000);
        },
      ],
    },
  };
}

/** `14:00`, and the date where a day begins. */
const hours = (zone: string) => (_: uPlot, splits: number[]) =>
  splits.map((seconds) => {
    const clock = new Clock(zone);
    const time = clock.time(seconds * 1000).slice(0, -3);
    return time === '00:00' ? clock.date(seconds * 1000) : time;
  });
