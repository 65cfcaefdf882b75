import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { answer, api, type Group, type Node } from '../api/client';
import type { Question } from '../filter/AskBar';
import { and } from '../filter/text';
import { asked } from '../time/window';

/** So many addresses in one session are more than a phone that moves about. */
export const MANY_ADDRESSES = 5;
/** Sessions that are shown of those. */
const SHOWN = 10;

const noise = (question: Question) => (question.noise === 'show' ? ('show' as const) : undefined);
const key = ({ filter, last, from, to, noise }: Question) => [filter, last, from, to, noise];

/** A key, and what it decided. */
export interface Decided {
  source: string;
  name: string;
  filter: string;
  requests: number;
  sessions: number;
}

/** Requests and sessions by the key that decided; `which` narrows them. */
export const decidedQuestion = (question: Question, which?: string) =>
  queryOptions({
    queryKey: ['grouping/decided', ...key(question), which],
    queryFn: async ({ signal }): Promise<Decided[]> => {
      const query = {
        ...asked(question),
        filter: which ? and(question.filter, which) : question.filter,
        noise: noise(question),
        group_by: 'key.source,key.name',
        top: 50,
        metrics: 'sessions',
      };
      const told = await answer(api.GET('/stats', { params: { query: query as never }, signal }));
      return told.groups.map(({ group, requests, sessions, filter }: Group) => ({
        source: group['key.source'] ?? '',
        name: group['key.name'] ?? '',
        filter: filter ?? '',
        requests,
        sessions: sessions ?? 0,
      }));
    },
    placeholderData: keepPreviousData,
  });

/** Sessions that came from many addresses, those with the most requests first; and how many there are. */
export const mergedQuestion = (question: Question) =>
  queryOptions({
    queryKey: ['grouping/merged', ...key(question)],
    queryFn: async ({ signal }) => {
      const about = {
        ...asked(question),
        filter: and(question.filter, `session.ips>=${MANY_ADDRESSES}`),
        noise: noise(question),
      };
      const query = { ...about, order_by: 'requests desc', page_size: SHOWN } as const;
      const [list, all] = await Promise.all([
        answer(api.GET('/sessions', { params: { query }, signal })),
        answer(api.GET('/sessions/count', { params: { query: about }, signal })),
      ]);
      return { sessions: list.sessions, count: all.count };
    },
    placeholderData: keepPreviousData,
  });

/** The plans that workers reported, by node. */
export const plansQuestion = queryOptions({
  queryKey: ['grouping/plans'],
  queryFn: async ({ signal }) => (await answer(api.GET('/nodes', { signal }))).nodes as Node[],
});
