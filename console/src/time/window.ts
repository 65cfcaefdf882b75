import { millis } from './zone';

/** A window of time as it stands in an address: a length up to now, or two moments. */
export interface Window {
  last?: string;
  from?: string;
  to?: string;
}

/** The lengths that one picks, in milliseconds. */
export const PRESETS: { last: string; title: string; ms: number }[] = [
  { last: '15m', title: 'Last 15 minutes', ms: 900_000 },
  { last: '1h', title: 'Last hour', ms: 3_600_000 },
  { last: '6h', title: 'Last 6 hours', ms: 21_600_000 },
  { last: '24h', title: 'Last 24 hours', ms: 86_400_000 },
  { last: '3d', title: 'Last 3 days', ms: 3 * 86_400_000 },
  { last: '7d', title: 'All 7 days', ms: 7 * 86_400_000 },
];

const USUAL = '24h';

/** The preset in force, unless two moments are. */
export function preset({ last, from, to }: Window) {
  if (from || to) return undefined;
  return PRESETS.find((preset) => preset.last === (last ?? USUAL)) ?? PRESETS.find(({ last }) => last === USUAL);
}

/** The moments that it means now, in milliseconds; without `to` it goes on. */
export function resolved(window: Window, now = Date.now()): { from: number; to: number | undefined } {
  const length = preset(window)?.ms;
  if (length) return { from: now - length, to: undefined };
  return {
    from: window.from ? millis(window.from) : now - 7 * 86_400_000,
    to: window.to ? millis(window.to) : undefined,
  };
}

/** The same as parameters of a question. */
export function asked(window: Window): { from: string; to?: string } {
  const { from, to } = resolved(window);
  return { from: new Date(from).toISOString(), ...(to === undefined ? {} : { to: new Date(to).toISOString() }) };
}

/** The same where steps of time are asked for: without an end they would go on for a day, more than are allowed. */
export function askedInSteps(window: Window, now: number): { from: string; to: string } {
  const { from, to } = resolved(window, now);
  return { from: new Date(from).toISOString(), to: new Date(to ?? now + 60_000).toISOString() };
}

const STEPS: [string, number][] = [
  ['1m', 60_000],
  ['5m', 300_000],
  ['10m', 600_000],
  ['15m', 900_000],
  ['30m', 1_800_000],
  ['1h', 3_600_000],
  ['3h', 10_800_000],
  ['6h', 21_600_000],
];

/** The shortest step of which the window has no more than `most`. */
export function step(from: number, to: number, most = 120): [string, number] {
  return STEPS.find(([, ms]) => (to - from) / ms <= most) ?? ['6h', 21_600_000];
}
