import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { answer, api, type Part } from '../api/client';
import { asked, askedInSteps, resolved, step, type Window } from '../time/window';

/** What the list shows. */
export interface Asked extends Window {
  filter?: string;
  noise?: string;
  order?: string;
}

export type Order = 'last_seen desc' | 'first_seen desc' | 'requests desc' | 'duration desc' | 'bytes_out desc';

export const ORDERS: { value: Order; label: string }[] = [
  { value: 'last_seen desc', label: 'Last seen' },
  { value: 'first_seen desc', label: 'Begun last' },
  { value: 'requests desc', label: 'Most requests' },
  { value: 'duration desc', label: 'Longest' },
  { value: 'bytes_out desc', label: 'Most bytes' },
];

const PAGE = 200;

/** What is asked for of noise: the server hides it unless it is told to show it. */
export const shownNoise = ({ noise }: Asked): 'show' | undefined => (noise === 'show' ? noise : undefined);

interface Cursor {
  from: string;
  to?: string;
  token?: string;
}

/** Pages of sessions. The window of a length up to now is that of the first page for all of them. */
export const sessionsQuestion = (asking: Asked) =>
  infiniteQueryOptions({
    queryKey: ['sessions', asking.filter, asking.last, asking.from, asking.to, asking.noise, asking.order],
    initialPageParam: null as Cursor | null,
    queryFn: async ({ pageParam, signal }) => {
      const cursor: Cursor = pageParam ?? asked(asking);
      const query = {
        from: cursor.from,
        to: cursor.to,
        filter: asking.filter,
        noise: shownNoise(asking),
        order_by: ORDERS.find(({ value }) => value === asking.order)?.value,
        page_size: PAGE,
        page_token: cursor.token,
      };
      const page = await answer(api.GET('/sessions', { params: { query }, signal }));
      return { sessions: page.sessions, cursor: { ...cursor, token: page.next_page_token ?? undefined } };
    },
    getNextPageParam: ({ cursor }): Cursor | undefined => (cursor.token ? cursor : undefined),
    placeholderData: keepPreviousData,
  });

/** How many sessions there are, and how many of them are nothing but noise. */
export const countQuestion = (asking: Asked) =>
  queryOptions({
    queryKey: ['sessions/count', asking.filter, asking.last, asking.from, asking.to, asking.noise],
    queryFn: async ({ signal }) => {
      const query = { ...asked(asking), filter: asking.filter, noise: shownNoise(asking) };
      const { count, hidden } = await answer(api.GET('/sessions/count', { params: { query }, signal }));
      return { shown: count, hidden };
    },
    placeholderData: keepPreviousData,
  });

/** Requests in steps of time. */
export const volumeQuestion = (asking: Asked) =>
  queryOptions({
    queryKey: ['volume', asking.filter, asking.last, asking.from, asking.to, asking.noise],
    queryFn: async ({ signal }) => {
      const now = Date.now();
      const { from, to } = resolved(asking, now);
      const [bucket, ms] = step(from, to ?? now);
      const query = {
        ...askedInSteps(asking, now),
        filter: asking.filter,
        noise: shownNoise(asking),
        bucket,
        metrics: 'errors,client_errors',
      };
      const told = await answer(api.GET('/stats', { params: { query: query as never }, signal }));
      const series = told.groups[0]?.series ?? [];
      return { from, to: to ?? now, ms, series, requests: told.groups[0]?.requests ?? 0 };
    },
    placeholderData: keepPreviousData,
  });

/** Names a row. */
export const rowOf = ({ id, day }: Part) => `${id}.${day}`;
