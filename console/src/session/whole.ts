import type { ToldPart } from '../api/client';
import type { Between } from './questions';

/** What the parts that are shown are together. */
export interface Whole {
  parts: ToldPart[];
  between: Between;
  requests: number;
  visits: number;
  bytesOut: number;
  statuses: Record<string, number>;
}

/** The parts of a day, or all. */
export function whole(parts: ToldPart[], day: string | undefined): Whole | null {
  const shown = day ? parts.filter((part) => part.day === day) : parts;
  if (!shown.length) return null;
  const statuses: Record<string, number> = {};
  for (const part of shown) {
    for (const [name, n] of Object.entries(part.statuses)) statuses[name] = (statuses[name] ?? 0) + n;
  }
  const sum = (of: (part: ToldPart) => number) => shown.reduce((all, part) => all + of(part), 0);
  return {
    parts: shown,
    between: {
      from: Math.min(...shown.map(({ first_seen }) => Date.parse(first_seen))),
      to: Math.max(...shown.map(({ last_seen }) => Date.parse(last_seen))),
    },
    requests: sum(({ requests }) => requests),
    // One that goes on over midnight is in two parts, and one visit.
    visits: sum(({ visit_count, visits }) => visit_count - (visits[0]?.reason === 'midnight' ? 1 : 0)) || 1,
    bytesOut: sum(({ bytes_out }) => bytes_out),
    statuses,
  };
}

/** Each value once, in the order of the parts. */
export const each = <T>(parts: ToldPart[], of: (part: ToldPart) => T[], name: (value: T) => string): T[] => [
  ...new Map(parts.flatMap(of).map((value) => [name(value), value])).values(),
];
