import { answer, api, Failed } from '../api/client';
import { isWord } from '../filter/text';

/** How a pasted value was found. */
export interface Found {
  /** Sessions whose key it is, or whose requests hold its pseudonym. */
  filter: string;
  sessions: number;
}

/** Looks for a pasted value by its pseudonym: what nodes do not show is stored as one. */
export async function findPseudonym(text: string): Promise<Found | null> {
  const value = text.trim().replace(/^"(.*)"$/s, '$1');
  if (!value || !isWord(text) || /^[0-9a-f]{8,32}$/.test(value)) return null;
  try {
    const { found, pseudonyms } = await answer(api.POST('/pseudonym', { body: { value, group: null } }));
    const sessions = new Set(found.map(({ session_id }) => session_id));
    if (sessions.size)
      return { filter: `session_id IN (${[...sessions].slice(0, 100).join(',')})`, sessions: sessions.size };
    const named = pseudonyms.map((pseudonym) => `"${pseudonym}"`).join(' OR ');
    if (!named) return null;
    const { count } = await answer(api.GET('/sessions/count', { params: { query: { filter: named } } }));
    return count ? { filter: named, sessions: count } : null;
  } catch (error) {
    // Without the nodes' secret, or asked too often: the text itself is looked for.
    if (error instanceof Failed) return null;
    throw error;
  }
}
