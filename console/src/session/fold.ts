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

/** So many equal calls in a row become one line, unless another number is given. */
const ENOUGH = 3;

const WATCHED = [
  ['ip', 'address'],
  ['country', 'country'],
  ['user_agent', 'User-Agent'],
] as const;

/** Visits that begin after a pause. */
type Begin = { at: number; idle: number };

/**
 * Folds requests in their order into lines: equal calls that follow each other are one, and what changed in between
 * is told. More requests go on from those before, which are not looked at again: a session has 50,000 of them.
 */
export class Folding {
  private readonly begins: Begin[];
  private lines: Line[] = [];
  private taken = 0;
  private last: Request | null = null;
  private visit = -1;
  /** Equal calls that may go on. */
  private run: Request[] = [];
  /** The last request that has its line. */
  private before: Request | null = null;
  /** The pause before the run is told by the line above. */
  private rested = false;

  constructor(
    parts: ToldPart[],
    private readonly folding: boolean,
    private readonly enough = ENOUGH,
  ) {
    this.begins = visitsOf(parts);
  }

  /** The lines of requests, the first of them those of the time before, if they are the same. */
  linesOf(requests: Request[]): Line[] {
    if (this.taken > 0 && requests[this.taken - 1] !== this.last) this.reset();
    for (const request of requests.slice(this.taken)) this.take(request);
    this.taken = requests.length;
    return [...this.lines, ...this.ended()];
  }

  private reset() {
    this.lines = [];
    this.taken = 0;
    this.last = null;
    this.visit = -1;
    this.run = [];
    this.before = null;
    this.rested = false;
  }

  private take(request: Request) {
    const { last } = this;
    const idle = this.idleBefore(request);
    this.last = request;
    if (last) this.goOn(last, request, idle);
    this.run.push(request);
  }

  /** From one request to the next. */
  private goOn(last: Request, request: Request, idle: number) {
    const changes = changed(last, request);
    if (this.folding && !changes.length && !idle && equal(last, request)) return;
    this.lines.push(...this.ended());
    this.before = last;
    this.rested = idle > 0;
    this.run = [];
    if (idle > 0) this.lines.push({ kind: 'visit', key: `visit ${request.id}`, idle });
    if (changes.length) this.lines.push({ kind: 'changed', key: `changed ${request.id}`, changes });
  }

  /** The pause that the request ended. */
  private idleBefore({ ts }: Request): number {
    const at = Date.parse(ts);
    let idle = 0;
    for (let next = this.begins[this.visit + 1]; next && next.at <= at; next = this.begins[this.visit + 1]) {
      this.visit += 1;
      idle = next.idle;
    }
    return idle;
  }

  /** The lines of the run, if it ends here. */
  private ended(): Line[] {
    const [first] = this.run;
    if (!first) return [];
    if (this.run.length >= this.enough) {
      return [{ kind: 'run', key: `run ${first.id}`, requests: [...this.run], open: false }];
    }
    const before = this.rested ? null : this.before;
    return this.run.map((request, n) => line(request, this.run[n - 1] ?? before, false));
  }
}

/** The same lines, with the calls of those that are open. */
export function unfolded(lines: Line[], open: ReadonlySet<string>): Line[] {
  if (!open.size) return lines;
  return lines.flatMap((one) => {
    if (one.kind !== 'run' || !open.has(one.key)) return [one];
    const calls = one.requests.map((request, n) => line(request, one.requests[n - 1] ?? null, true));
    return [{ ...one, open: true }, ...calls];
  });
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
function visitsOf(parts: ToldPart[]): Begin[] {
  return parts
    .flatMap(({ visits }) => visits)
    .filter(({ reason }) => reason === 'idle')
    .map(({ first_seen, idle_ms }) => ({ at: Date.parse(first_seen), idle: idle_ms ?? 0 }))
    .sort((one, other) => one.at - other.at);
}
