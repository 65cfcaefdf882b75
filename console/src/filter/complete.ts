import type { Field } from '../api/client';
import { quoted } from './text';

/** What is being written where the cursor stands, and which part of the text a completion replaces. */
export interface Place {
  kind: 'field' | 'value';
  /** The field whose value is written. */
  field: string;
  typed: string;
  from: number;
  to: number;
}

/** One completion. */
export interface Completion {
  text: string;
  /** What is told beside it. */
  note: string;
  /** What it puts in the place. */
  insert: string;
}

const VALUE =
  /(?:^|[\s(])([a-z_]+(?:\.(?:[\w-]+|"[^"]*"))?)\s*(?:!=|<=|>=|=|<|>|:|(?:\s(?:not\s+)?in\s*\((?:[^()]*,)?))\s*("(?:\\.|[^"\\])*|[^\s()",]*)$/i;
const FIELD = /(?:^|[\s(])([a-z_.]*)$/i;

/** Looks at what stands before the cursor. */
export function placeAt(text: string, cursor: number): Place | null {
  const before = text.slice(0, cursor);
  const value = VALUE.exec(before);
  if (value) {
    const typed = value[2] ?? '';
    const closing = typed.startsWith('"') && text[cursor] === '"' ? 1 : 0;
    const plain = typed.replace(/^"/, '').replace(/\\(.)/g, '$1');
    return { kind: 'value', field: value[1] ?? '', typed: plain, from: cursor - typed.length, to: cursor + closing };
  }
  const field = FIELD.exec(before);
  if (!field) return null;
  const typed = field[1] ?? '';
  return { kind: 'field', field: '', typed, from: cursor - typed.length, to: cursor };
}

const WORDS: [string, string][] = [
  ['AND', 'both'],
  ['OR', 'one of both'],
  ['NOT', 'the opposite'],
];

/** Fields that fit what was typed; after a whole term the words that join. */
export function fieldCompletions(place: Place, text: string, fields: Field[]): Completion[] {
  const before = text.slice(0, place.from).trimEnd();
  const typed = place.typed.toLowerCase();
  if (before && !/(\b(and|or|not)|\()$/i.test(before)) {
    const fits = WORDS.filter(([word]) => word !== 'NOT' && word.toLowerCase().startsWith(typed));
    return fits.map(([text, note]) => ({ text, note, insert: `${text} ` }));
  }
  const names = fields.map((field) => ({ field, at: rank(field, typed) })).filter(({ at }) => at < 3);
  names.sort((one, other) => one.at - other.at);
  return names.slice(0, 12).map(({ field }) => ({
    text: field.name,
    note: field.meaning,
    insert:
      field.name === 'param.NAME'
        ? 'param.'
        : `${field.name}${field.type === 'number' || field.type === 'duration' || field.type === 'size' ? '>' : '='}`,
  }));
}

function rank({ name, also }: Field, typed: string): number {
  const all = [name, ...also];
  if (all.some((one) => one.startsWith(typed))) return 0;
  if (all.some((one) => one.includes(`.${typed}`) || one.includes(`_${typed}`))) return 1;
  return typed && all.some((one) => one.includes(typed)) ? 2 : 3;
}

/** Values that fit what was typed. */
export function valueCompletions(place: Place, type: string, values: { value: string; note: string }[]): Completion[] {
  const typed = place.typed.toLowerCase();
  const plain = type === 'status' || type === 'flag';
  return values
    .filter(({ value }) => value.toLowerCase().includes(typed))
    .map(({ value, note }) => ({ text: value, note, insert: `${plain ? value : quoted(value)} ` }));
}

/** Values that a field has whatever the traffic. */
export function givenValues(type: string): { value: string; note: string }[] {
  if (type === 'flag') return ['true', 'false'].map((value) => ({ value, note: '' }));
  if (type !== 'status') return [];
  const classes = { '2xx': 'done', '3xx': 'elsewhere', '4xx': 'refused', '5xx': 'failed' };
  return Object.entries(classes).map(([value, note]) => ({ value, note }));
}
