import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { answer, api, type Stated } from '../api/client';
import type { Question } from '../filter/AskBar';
import { asked, askedInSteps, resolved, step } from '../time/window';

/** Steps of time of a window, at most. */
const STEPS = 96;

/** What is counted in statistics. */
const about = (question: Question, filter = question.filter) => ({
  ...asked(question),
  filter,
  noise: question.noise === 'show' ? ('show' as const) : undefined,
});

const stats = (query: object, signal: AbortSignal) =>
  answer(api.GET('/stats', { params: { query: query as never }, signal }));

const key = ({ filter, last, from, to, noise }: Question) => [filter, last, from, to, noise];

/** Numbers of the window, in all and in steps of time. */
export const figuresQuestion = (question: Question, metrics: Stated[]) =>
  queryOptions({
    queryKey: ['figures', ...key(question), metrics],
    queryFn: async ({ signal }) => {
      const now = Date.now();
      const { from, to } = resolved(question, now);
      const [bucket, ms] = step(from, to ?? now, STEPS);
      const told = await stats(
        { ...about(question), ...askedInSteps(question, now), bucket, metrics: metrics.join() },
        signal,
      );
      return { from, to: to ?? now, ms, all: told.groups[0], exact: told.exact };
    },
    placeholderData: keepPreviousData,
  });

/** The same numbers of the time just before, as long; null where that is older than what is kept. */
export const beforeQuestion = (question: Question, metrics: Stated[]) =>
  queryOptions({
    queryKey: ['figures/before', ...key(question), metrics],
    queryFn: async ({ signal }) => {
      const now = Date.now();
      const { from, to = now } = resolved(question, now);
      const oldest = Math.floor(now / 86_400_000 - 6) * 86_400_000;
      const begin = from - (to - from);
      if (begin < oldest) return null;
      const query = {
        ...about(question),
        from: new Date(begin).toISOString(),
        to: new Date(from).toISOString(),
        metrics: metrics.join(),
      };
      return (await stats(query, signal)).groups[0] ?? null;
    },
    placeholderData: keepPreviousData,
  });

/** The commonest values of a field. */
export const topQuestion = (question: Question, by: string, top: number, metrics: Stated[]) =>
  queryOptions({
    queryKey: ['top', by, ...key(question), top, metrics],
    queryFn: ({ signal }) => stats({ ...about(question), group_by: by, top, metrics: metrics.join() }, signal),
    placeholderData: keepPreviousData,
  });
