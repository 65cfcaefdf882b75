import type uPlot from 'uplot';
import { bars, countAxis, type Look, timeAxis } from './Plot';

/** A step of time, as statistics tell it. */
export interface Step {
  from: string;
  requests: number;
  errors?: number | null;
  client_errors?: number | null;
}

/** Columns for a drawing of bars one before the other: all, those with 4xx or 5xx, those with 5xx. */
export function stacked(from: number, to: number, ms: number, series: Step[]): uPlot.AlignedData {
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

/** How those columns are drawn: failures on top of each other. */
export const statusBars = (look: Look): Partial<uPlot.Options> => ({
  series: [
    {},
    bars(look, 'requests', '--volume'),
    bars(look, '4xx', '--refused-fill'),
    bars(look, '5xx', '--failed-fill'),
  ],
  axes: [timeAxis(look), countAxis(look)],
});
