const whole = new Intl.NumberFormat('en-GB');
const short = new Intl.NumberFormat('en-GB', { notation: 'compact', maximumFractionDigits: 1 });

/** `12,345`. */
export const count = (n: number) => whole.format(n);

/** `12.3K` where there is little room. */
export const shortCount = (n: number) => (n < 10_000 ? whole.format(n) : short.format(n));

/** `3 sessions`, `1 session`. */
export const counted = (n: number, one: string, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** `4.8 kB`: three digits at most, units of a thousand. */
export function bytes(n: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let [value, unit] = [n, 0];
  while (value >= 999.5 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** How long a request took: `870 µs`, `16.9 ms`, `2.41 s`, then as `span`. */
export function took(us: number): string {
  if (us < 1000) return `${us} µs`;
  if (us < 100_000) return `${(us / 1000).toFixed(1)} ms`;
  if (us < 1_000_000) return `${Math.round(us / 1000)} ms`;
  if (us < 60_000_000) return `${(us / 1_000_000).toFixed(2)} s`;
  return span(us / 1000);
}

/** How long something went on: `10 s`, `4 min 10 s`, `2 h 5 min`, `3 d 4 h`. */
export function span(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = Math.round(ms / 1000);
  const two = (big: number, unit: string, small: number, lesser: string) =>
    small ? `${big} ${unit} ${small} ${lesser}` : `${big} ${unit}`;
  if (s < 60) return `${s} s`;
  if (s < 3600) return two(Math.floor(s / 60), 'min', s % 60, 's');
  if (s < 86_400) return two(Math.floor(s / 3600), 'h', Math.floor((s % 3600) / 60), 'min');
  return two(Math.floor(s / 86_400), 'd', Math.floor((s % 86_400) / 3600), 'h');
}

/** `12 %`, `<1 %`. */
export function share(part: number, all: number): string {
  if (!all || !part) return '0 %';
  const percent = (100 * part) / all;
  if (percent < 1) return '<1 %';
  return `${part < all ? Math.min(99, Math.round(percent)) : 100} %`;
}
