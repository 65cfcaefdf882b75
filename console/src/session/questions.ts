import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { answer, api, type Request, type ToldPart } from '../api/client';
import type { SessionSearch } from '../router';
import { step } from '../time/window';
import type { About } from './Statistics';

/** Requests of a page; a time with no more than these is drawn request by request. */
export const PAGE = 1000;

/** What the open session shows of its requests. */
export type Asked = Pick<SessionSearch, 'day' | 'filter' | 'noise' | 'from' | 'to'>;

const noiseOf = ({ noise }: Asked): 'show' | undefined => (noise === 'show' ? noise : undefined);

/** All parts of the week, the newest first. */
export const partsQuestion = (id: string) =>
  queryOptions({
    queryKey: ['session', id],
    queryFn: async ({ signal }) =>
      (await answer(api.GET('/sessions/{id}', { params: { path: { id } }, signal }))).parts as ToldPart[],
  });

/** Requests in the order in which they began. */
export const requestsQuestion = (id: string, { day, filter, noise, from, to }: Asked) =>
  infiniteQueryOptions({
    queryKey: ['session/requests', id, day, filter, noise, from, to],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) => {
      const query = { day, filter, noise: noiseOf({ noise }), from, to, page_size: PAGE, page_token: pageParam };
      return answer(api.GET('/sessions/{id}/requests', { params: { path: { id }, query }, signal }));
    },
    getNextPageParam: ({ next_page_token }) => next_page_token ?? undefined,
    placeholderData: keepPreviousData,
    // A page is large and never changes.
    structuralSharing: false,
  });

/** How many they are. */
export const countQuestion = (id: string, { day, filter, noise, from, to }: Asked) =>
  queryOptions({
    queryKey: ['session/count', id, day, filter, noise, from, to],
    queryFn: ({ signal }) => {
      const query = { day, filter, noise: noiseOf({ noise }), from, to };
      return answer(api.GET('/sessions/{id}/requests/count', { params: { path: { id }, query }, signal }));
    },
    placeholderData: keepPreviousData,
  });

/** The same in steps of time, where they are too many to be drawn one by one. */
export const stepsQuestion = (id: string, about: About, between: Between) =>
  queryOptions({
    queryKey: ['session/steps', id, about, between],
    queryFn: async ({ signal }) => {
      const [bucket, ms] = step(between.from, between.to, 240);
      const [from, to] = [between.from, between.to + 1].map((at) => new Date(at).toISOString());
      const query = { ...about, from, to, bucket, metrics: 'errors,client_errors' };
      const told = await answer(
        api.GET('/sessions/{id}/stats', { params: { path: { id }, query: query as never }, signal }),
      );
      return { ms, ...between, series: told.groups[0]?.series ?? [] };
    },
    placeholderData: keepPreviousData,
  });

export const relatedQuestion = (id: string) =>
  queryOptions({
    queryKey: ['session/related', id],
    queryFn: ({ signal }) => answer(api.GET('/sessions/{id}/related', { params: { path: { id } }, signal })),
  });

export const notesQuestion = (id: string) =>
  queryOptions({
    queryKey: ['session/notes', id],
    queryFn: async ({ signal }) =>
      (await answer(api.GET('/sessions/{id}/notes', { params: { path: { id } }, signal }))).notes,
  });

export const requestQuestion = (id: string) =>
  queryOptions({
    queryKey: ['request', id],
    queryFn: ({ signal }): Promise<Request> => answer(api.GET('/requests/{id}', { params: { path: { id } }, signal })),
  });

/** Two moments, in milliseconds. */
export interface Between {
  from: number;
  to: number;
}

/** What statistics are asked about: those of a day have no parameter for it, but its bounds. */
export function about({ day, filter, noise, from, to }: Asked): About {
  const within = day ? { from: `${day}T00:00:00Z`, to: `${day}T23:59:59.999999Z` } : {};
  const given = { ...(from && { from }), ...(to && { to }) };
  return { ...within, ...given, filter, noise: noiseOf({ noise }) };
}
