import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { answer, api, type Group, type Stated } from '../api/client';
import { term } from '../filter/text';
import { asked, askedInSteps, resolved, step, type Window } from '../time/window';

/** Lanes of a kind that have room. */
export const LANES = 12;
const STEPS = 168;
/** Sessions that are listed. */
export const SESSIONS = 200;

/** What is known of the requests of a user, noise among them. */
const of = (user: string) => ({ filter: term('user', user), noise: 'show' as const });

/** All of it in one group, or the commonest values of a field, with steps of time. */
export const activityQuestion = (user: string, window: Window, by: string | undefined, metrics: Stated[]) =>
  queryOptions({
    queryKey: ['user/activity', user, window.last, window.from, window.to, by],
    queryFn: async ({ signal }) => {
      const now = Date.now();
      const { from, to = now } = resolved(window, now);
      const [bucket, ms] = step(from, to, STEPS);
      const query = {
        ...of(user),
        ...askedInSteps(window, now),
        ...(by && { group_by: by, top: LANES }),
        metrics: metrics.join(),
        bucket,
      };
      const told = await answer(api.GET('/stats', { params: { query: query as never }, signal }));
      return { from, to, ms, groups: told.groups as Group[], count: told.group_count };
    },
    placeholderData: keepPreviousData,
  });

/** Their sessions, the last seen first. */
export const sessionsQuestion = (user: string, window: Window) =>
  queryOptions({
    queryKey: ['user/sessions', user, window.last, window.from, window.to],
    queryFn: ({ signal }) => {
      const query = { ...of(user), ...asked(window), page_size: SESSIONS };
      return answer(api.GET('/sessions', { params: { query }, signal }));
    },
    placeholderData: keepPreviousData,
  });

/** The users with the most requests, noise among them as on the page of one. */
export const usersQuestion = (window: Window) =>
  queryOptions({
    queryKey: ['users', window.last, window.from, window.to],
    queryFn: ({ signal }) => {
      const query = {
        ...asked(window),
        filter: 'user:*',
        noise: 'show',
        group_by: 'user',
        top: 100,
        metrics: 'sessions,errors,client_errors,bytes_out',
      };
      return answer(api.GET('/stats', { params: { query: query as never }, signal }));
    },
    placeholderData: keepPreviousData,
  });
