/**
 * Filters as text, as far as the console has to know them: where their terms begin and end, and how a
 * value is written. What they mean is the server's affair.
 */

/** Terms of a filter, and what stands between them. */
export interface Terms {
  terms: string[];
  join: 'AND' | 'OR';
}

/** A value as it stands in a filter: quoted, its globs taken as they are. */
export const quoted = (value: string) => `"${value.replace(/[\\"*?]/g, '\\$&')}"`;

/** `field="value"`; for no value, that the field has none. */
export function term(field: string, value: string | number | boolean | null): string {
  if (value === null) return `NOT ${field}:*`;
  return `${field}=${typeof value === 'string' ? quoted(value) : value}`;
}

/** The top level of a filter. A text that is none yet (a quote is open) is one term. */
export function split(text: string): Terms {
  const terms: string[] = [];
  let [depth, start, join] = [0, 0, 'AND' as Terms['join']];
  const pieces = /"(?:\\.|[^"\\])*"?|\\.|[()]|[^\s()"\\]+|\s+/gsu;
  for (const { 0: piece, index } of text.matchAll(pieces)) {
    if (piece === '(') depth += 1;
    else if (piece === ')') depth -= 1;
    else if (depth === 0 && /^(and|or)$/i.test(piece)) {
      terms.push(text.slice(start, index).trim());
      start = index + piece.length;
      join = piece.toUpperCase() as Terms['join'];
    }
  }
  terms.push(text.slice(start).trim());
  return { terms: terms.filter(Boolean), join };
}

/** Terms as one filter. */
export const joined = ({ terms, join }: Terms) => terms.join(` ${join} `);

/** A filter that is to be true beside `other`; one of several terms with OR is put into parentheses. */
export function and(text: string | undefined, other: string): string {
  const { terms, join } = split(text ?? '');
  if (!terms.length) return other;
  if (join === 'OR' && terms.length > 1) return `(${text}) AND ${other}`;
  const opposite = negated(other);
  return joined({ terms: [...terms.filter((term) => term !== other && term !== opposite), other], join: 'AND' });
}

/** The opposite of a term. */
export function negated(term: string): string {
  const inner = /^NOT\s+/i.exec(term);
  return inner ? term.slice(inner[0].length) : `NOT ${split(term).terms.length > 1 ? `(${term})` : term}`;
}

/** Whether it is a word to look for, and no term of a filter. */
export function isWord(text: string): boolean {
  const { terms } = split(text);
  return (
    terms.length === 1 &&
    !/^(NOT\s|\(|(any|none|count)\()/i.test(text) &&
    !/^[a-z_.]+\s*(=|!=|<|>|:|IN\b|NOT\b)/i.test(text)
  );
}

/** Something pasted as a filter: a word with signs in it has to be quoted. */
export function asFilter(text: string): string {
  const bare = text.trim();
  if (!isWord(bare) || /^"(\\.|[^"\\])*"$/.test(bare)) return bare;
  return /[\s(),"=!<>:*?\\]/.test(bare) ? quoted(bare) : bare;
}
