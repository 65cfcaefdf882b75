import type { Request, ToldPart } from '../api/client';

/** What stands in a line of the sequence. */
export type Line =
  | { kind: 'request'; key: string; request: Request; since: number | null; inner: boolean }
  | { kind: 'run'; key: string; requests: Request[]; open: boolean }
  | { kind: 'changed'; key: string; changes: Change[] }
  | { kind: 'visit'; key: string; idle: number };

/** From one request to the next something about the client became another. */
export interface Change {
  what: 'address' | 'User-Agent' | 'country';
  field: 'ip' | 'user_agent' | 'country';
  was: string | null;
  is: string | null;
}

/** So many equal calls in a row become one line. */
const ENOUGH = 3;

const WATCHED = [
  ['ip', 'address'],
  ['country', 'country'],
  ['user_agent', 'User-Agent'],
] as const;

/** Lines for requests in their order: equal calls that follow each other as one, and what changed in between. */
export function fold(requests: Request[], parts: ToldPart[], open: ReadonlySet<string>, folding: boolean): Line[] {
  const lines: Line[] = [];
  const begins = visitsOf(parts);
  let visit = -1;
  let run: Request[] = [];
  let before: Request | null = null;
  // The pause is told by the line above.
  let rested = false;
  const end = () => {
    const first = run[0];
    if (!first) return;
    if (folding && run.length >= ENOUGH) {
      const opened = open.has(first.id);
      lines.push({ kind: 'run', key: `run ${first.id}`, requests: run, open: opened });
      if (opened) for (const [n, request] of run.entries()) lines.push(line(request, run[n - 1] ?? null, true));
    } else {
      for (const [n, request] of run.entries())
        lines.push(line(request, run[n - 1] ?? (rested ? null : before), false));
    }
    before = run.at(-1) ?? before;
    rested = false;
    run = [];
  };
  for (const request of requests) {
    const last: Request | null = run.at(-1) ?? before;
    const changes = last ? changed(last, request) : [];
    const at = Date.parse(request.ts);
    let idle = 0;
    for (let next = begins[visit + 1]; next && next.at <= at; next = begins[visit + 1]) {
      visit += 1;
      idle = next.idle;
    }
    const apart = changes.length > 0 || (last !== null && idle > 0);
    if (apart || (last && !equal(last, request))) end();
    rested ||= idle > 0;
    if (last && idle > 0) lines.push({ kind: 'visit', key: `visit ${request.id}`, idle });
    if (changes.length) lines.push({ kind: 'changed', key: `changed ${request.id}`, changes });
    run.push(request);
  }
  end();
  return lines;
}

function line(request: Request, before: Request | null, inner: boolean): Line {
  const since = before ? Date.parse(request.ts) - Date.parse(before.ts) : null;
  return { kind: 'request', key: request.id, request, since, inner };
}

/** Whether two calls are the same to somebody who reads what was done. */
const equal = (one: Request, other: Request) =>
  one.endpoint === other.endpoint &&
  one.status === other.status &&
  one.mcp?.method === other.mcp?.method &&
  one.mcp?.primitive === other.mcp?.primitive;

function changed(was: Request, is: Request): Change[] {
  return WATCHED.flatMap(([field, what]) =>
    was[field] === is[field] ? [] : [{ what, field, was: was[field], is: is[field] }],
  );
}

/** When visits began after a pause, in order. */
function visitsOf(parts: ToldPart[]): { at: number; idle: number }[] {
  return parts
    .flatMap(({ visits }) => visits)
    .filter(({ reason }) => reason === 'idle')
    .map(({ first_seen, idle_ms }) => ({ at: Date.parse(first_seen), idle: idle_ms ?? 0 }))
    .sort((one, other) => one.at - other.at);
}
