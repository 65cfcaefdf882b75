import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { answer, api, Failed, wrongFilter } from '../api/client';
import type { Question } from '../filter/AskBar';
import { and, split } from '../filter/text';
import { asked } from '../time/window';

/** What every question of this page is about. */
const CALLS = 'mcp.method:*';
const PAGE = 200;

/** The question, of calls of AI agents alone. */
export const ofCalls = <T extends Question>(question: T): T => ({ ...question, filter: and(question.filter, CALLS) });

/** An error of such a question: what is wrong with the filter is told at the place where it stood before. */
export function ofFilter(error: Error | null, filter: string | undefined): Error | null {
  const wrong = wrongFilter(error);
  const { terms, join } = split(filter ?? '');
  if (!wrong || join === 'AND' || terms.length < 2 || typeof wrong.problem.offset !== 'number') return error;
  return new Failed({ ...wrong.problem, offset: wrong.problem.offset - 1 });
}

interface Cursor {
  from: string;
  to?: string;
  token?: string;
}

/** Calls, the last first. The window of a length up to now is that of the first page for all of them. */
export const callsQuestion = (question: Question) =>
  infiniteQueryOptions({
    queryKey: ['calls', question.filter, question.last, question.from, question.to, question.noise],
    initialPageParam: null as Cursor | null,
    queryFn: async ({ pageParam, signal }) => {
      const cursor: Cursor = pageParam ?? asked(question);
      const query = {
        from: cursor.from,
        to: cursor.to,
        filter: question.filter,
        noise: question.noise === 'show' ? ('show' as const) : undefined,
        page_size: PAGE,
        page_token: cursor.token,
      };
      const page = await answer(api.GET('/requests', { params: { query }, signal }));
      return { requests: page.requests, cursor: { ...cursor, token: page.next_page_token ?? undefined } };
    },
    getNextPageParam: ({ cursor }): Cursor | undefined => (cursor.token ? cursor : undefined),
    placeholderData: keepPreviousData,
  });

/** How many calls there are. */
export const countQuestion = (question: Question) =>
  queryOptions({
    queryKey: ['calls/count', question.filter, question.last, question.from, question.to, question.noise],
    queryFn: ({ signal }) => {
      const query = {
        ...asked(question),
        filter: question.filter,
        noise: question.noise === 'show' ? ('show' as const) : undefined,
      };
      return answer(api.GET('/requests/count', { params: { query }, signal }));
    },
    placeholderData: keepPreviousData,
  });

/** The commonest errors of the time, whatever the filter: statistics cannot be grouped by them. */
export const errorsQuestion = (question: Question) =>
  queryOptions({
    queryKey: ['calls/errors', question.last, question.from, question.to],
    queryFn: async ({ signal }) => {
      const query = { ...asked(question), values: 'mcp.error' };
      return (await answer(api.GET('/fields', { params: { query }, signal }))).fields[0]?.values ?? [];
    },
    placeholderData: keepPreviousData,
  });
