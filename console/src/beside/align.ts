import type { Change, Line } from '../session/fold';

/** A step of a session: a call, or equal calls that follow each other. */
export interface Step {
  /** What is called: steps of two sessions with the same are set beside each other. */
  what: string;
  line: Extract<Line, { kind: 'request' | 'run' }>;
  status: number;
  calls: number;
  /** The pause before it. */
  idle: number;
  /** What became another with it. */
  changes: Change[];
}

/** Steps beside each other; one of the two where the other session has none like it. */
export interface Pair {
  left: Step | null;
  right: Step | null;
  how: 'same' | 'other' | 'left' | 'right';
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
      steps.push({ what, line, status, calls: calls.length, idle, changes });
      [idle, changes] = [0, []];
    }
  }
  return steps;
}

/**
 * Sets as many equal steps beside each other as can be without changing the order of either: their longest common
 * subsequence. It takes the product of both lengths, so both have to be bounded.
 */
export function aligned(left: Step[], right: Step[]): Pair[] {
  const wide = right.length + 1;
  // Of each pair of places, how many steps can be paired from there on.
  const ahead = new Uint16Array((left.length + 1) * wide);
  const from = (l: number, r: number) => ahead[l * wide + r] ?? 0;
  for (let l = left.length - 1; l >= 0; l -= 1) {
    for (let r = right.length - 1; r >= 0; r -= 1) {
      const paired = left[l]?.what === right[r]?.what;
      ahead[l * wide + r] = paired ? 1 + from(l + 1, r + 1) : Math.max(from(l + 1, r), from(l, r + 1));
    }
  }
  const pairs: Pair[] = [];
  let [l, r] = [0, 0];
  while (l < left.length || r < right.length) {
    const [one, other] = [left[l] ?? null, right[r] ?? null];
    if (one && other && one.what === other.what) {
      pairs.push({ left: one, right: other, how: alike(one, other) ? 'same' : 'other' });
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

const alike = (one: Step, other: Step) => one.status === other.status && one.calls === other.calls;
