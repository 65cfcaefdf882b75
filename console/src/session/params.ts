import { term } from '../filter/text';

/** The filter that shows what has this value of a parameter. */
export function paramTerm(kind: string, name: string, value: string): string {
  if (kind === 'user' || kind === 'role') return term(kind, value);
  return term(`param.${/^[\w-]+$/.test(name) ? name : `"${name.replace(/[\\"]/g, '\\$&')}"`}`, value);
}
