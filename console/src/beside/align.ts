import type { Change, Line } from '../session/fold';

/** A step of a session: a call, or equal calls that follow each other. */
export interface Step {
  /** What is called: steps of two sessions with the same are set beside each other. */
  what: string;
  line: Extract<Line, { kind: 'request' | 'run' }>;
  status: number;
  calls: number;
  /** The path of each call. */
  paths: string;
  /** The pause before it. */
  idle: number;
  /** What became another with it. */
  changes: Change[];
}

/** How equal calls differ: not, in their paths only, or in status or number. */
type How = 'same' | 'some' | 'other';

/** Steps beside each other; one of the two where the other session has none like it. */
export interface Pair {
  left: Step | null;
  right: Step | null;
  how: How | 'left' | 'right';
}

/** The steps of folded lines, each with what the lines before it tell. */
export function stepsOf(lines: Line[]): Step[] {
  const steps: Step[] = [];
  let [idle, changes] = [0, [] as Change[]];
  for (const line of lines) {
    if (line.kind === 'visit') idle = line.idle;
    else if (line.kind === 'changed') changes = line.changes;
    else {
      const calls = line.kind === 'run' ? line.requests : [line.request];
      const [first] = calls;
      if (!first) continue;
      const { endpoint, status, mcp } = first;
      const what = [endpoint, mcp?.method, mcp?.primitive].join('\n');
      const paths = calls.map(({ path }) => path).join('\n');
      steps.push({ what, line, status, calls: calls.length, paths, idle, changes });
      [idle, changes] = [0, []];
    }
  }
  return steps;
}

/** What a pair is worth: more when it is alike, so that of several equal calls the alike ones are paired. */
const WORTH = { same: 6, some: 5, other: 4 };

/**
 * Sets equal steps beside each other without changing the order of either, as many as can, alike ones first: the
 * common subsequence that is worth most. It takes the product of both lengths, so both have to be bounded.
 */
export function aligned(left: Step[], right: Step[]): Pair[] {
  const number = numbering();
  const [lefts, rights] = [left.map(number), right.map(number)];
  const how = (l: number, r: number) => {
    const [one, other] = [left[l], right[r]];
    return one && other && lefts[l] === rights[r] ? howOf(one, other) : null;
  };
  const wide = right.length + 1;
  // Of each pair of places, how much can be had from there on.
  const ahead = new Uint16Array((left.length + 1) * wide);
  const from = (l: number, r: number) => ahead[l * wide + r] ?? 0;
  const paired = (l: number, r: number) => {
    const it = how(l, r);
    return it ? WORTH[it] + from(l + 1, r + 1) : 0;
  };
  for (let l = left.length - 1; l >= 0; l -= 1) {
    for (let r = right.length - 1; r >= 0; r -= 1) {
      ahead[l * wide + r] = Math.max(paired(l, r), from(l + 1, r), from(l, r + 1));
    }
  }
  const pairs: Pair[] = [];
  let [l, r] = [0, 0];
  while (l < left.length || r < right.length) {
    const [one, other] = [left[l] ?? null, right[r] ?? null];
    const both = how(l, r);
    if (both && paired(l, r) === from(l, r)) {
      pairs.push({ left: one, right: other, how: both });
      [l, r] = [l + 1, r + 1];
    } else if (one && (!other || from(l + 1, r) >= from(l, r + 1))) {
      pairs.push({ left: one, right: null, how: 'left' });
      l += 1;
    } else {
      pairs.push({ left: null, right: other, how: 'right' });
      r += 1;
    }
  }
  return pairs;
}

/** Numbers what steps call: numbers are compared faster than texts. */
function numbering() {
  const numbers = new Map<string, number>();
  return ({ what }: Step): number => {
    const number = numbers.get(what) ?? numbers.size;
    numbers.set(what, number);
    return number;
  };
}

function howOf(one: Step, other: Step): How {
  if (one.status !== other.status || one.calls !== other.calls) return 'other';
  return one.paths === other.paths ? 'same' : 'some';
}

/** Whether there is more to see of a pair than that both did the same. */
export const differs = ({ how, left, right }: Pair) =>
  how !== 'same' || Boolean(left?.changes.length || right?.changes.length);
