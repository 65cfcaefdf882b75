import createClient from 'openapi-fetch';
import type { components, paths } from './schema';
import { naming } from './underWay';

type Schemas = components['schemas'];
export type Part = Schemas['SessionPart'];
export type ToldPart = Schemas['ToldPart'];
export type Request = Schemas['Request'];
export type Stats = Schemas['Stats'];
export type Group = Schemas['ToldGroup'];
export type Field = Schemas['ToldField'];
export type Node = Schemas['Node'];
export type Worker = Schemas['Worker'];
export type Note = Schemas['Note'];
export type Related = Schemas['Related'];
export type Problem = Schemas['Problem'];
export type Stated = 'bytes_in' | 'bytes_out' | 'client_errors' | 'duration_us' | 'errors' | 'sessions' | 'users';

/** The one way to the server: the REST API that everybody else uses. */
export const api = createClient<paths>({ baseUrl: '/api/v1' });
api.use(naming);

/** The server answered with a problem, or did not answer at all. */
export class Failed extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title);
  }
}

/** The error, if it is the filter that is wrong. */
export const wrongFilter = (error: Error | null): Failed | undefined =>
  error instanceof Failed && error.problem.parameter === 'filter' ? error : undefined;

/** What was answered; throws `Failed` when it is a problem. */
export async function answer<T>(asked: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  let told: Awaited<typeof asked>;
  try {
    told = await asked;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new Failed({
      type: 'unreachable',
      title: 'The server does not answer',
      status: 0,
      detail: 'Is api-sessions still running? The page tries again by itself.',
    });
  }
  const { data, error, response } = told;
  if (response.ok) return data as T;
  const problem = error as Partial<Problem> | undefined;
  throw new Failed({
    type: problem?.type ?? 'unknown',
    title: problem?.title ?? `The server answered ${response.status}`,
    detail: problem?.detail ?? '',
    status: response.status,
    parameter: problem?.parameter,
    offset: problem?.offset,
    length: problem?.length,
  });
}

/** An address of the API with its parameters, for links and downloads. */
export function address(path: string, parameters: Record<string, string | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value) query.set(name, value);
  const text = query.toString();
  return `/api/v1${path}${text && '?'}${text}`;
}
