import { queryOptions } from '@tanstack/react-query';
import { answer, api } from '../api/client';
import { PAGE } from '../session/questions';

/** A part of a session, or all of it, as an address names it: `id.day`. */
export interface Named {
  id: string;
  day: string | undefined;
}

export function named(text: string): Named {
  const [id = '', day] = text.split('.');
  return { id, day };
}

/** The first requests of it: as many as can be set beside others at once. */
export const firstQuestion = ({ id, day }: Named, noise: 'show' | undefined) =>
  queryOptions({
    queryKey: ['beside/requests', id, day, noise],
    queryFn: async ({ signal }) => {
      const query = { day, noise, page_size: PAGE };
      const told = await answer(api.GET('/sessions/{id}/requests', { params: { path: { id }, query }, signal }));
      return { requests: told.requests, more: Boolean(told.next_page_token) };
    },
  });
