import { Combobox, TextInput, useCombobox } from '@mantine/core';
import { useDebouncedValue, useHotkeys } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useId, useMemo, useRef, useState } from 'react';
import { answer, api, type Failed } from '../api/client';
import { legible } from '../show/legible';
import { count } from '../show/numbers';
import { asked, type Window } from '../time/window';
import { BadFilter } from './BadFilter';
import { type Completion, fieldCompletions, givenValues, type Place, placeAt, valueCompletions } from './complete';
import styles from './FilterBox.module.css';

interface Props {
  filter: string;
  /** Values are counted in it. */
  window: Window;
  /** What the server found wrong with the filter. */
  wrong?: Failed;
  busy?: boolean;
  onFilter(text: string): void;
}

/** One box for anything pasted and for filters, with what may stand there. */
export function FilterBox({ filter, window, wrong, busy, onFilter }: Props) {
  const [text, setText] = useState(filter);
  const [place, setPlace] = useState<Place | null>(null);
  const input = useRef<HTMLInputElement>(null);
  const told = useId();
  const combobox = useCombobox({ onDropdownClose: () => combobox.resetSelectedOption() });
  useEffect(() => setText(filter), [filter]);
  useHotkeys([['/', () => input.current?.focus()]]);
  const completions = useCompletions(place, text, window);
  // Nothing is chosen until an arrow chooses it: Enter asks for what was written.
  const look = (text: string, cursor: number | null) => {
    setText(text);
    setPlace(placeAt(text, cursor ?? text.length));
    combobox.openDropdown();
    combobox.resetSelectedOption();
  };
  const take = (insert: string) => {
    if (!place) return;
    const next = text.slice(0, place.from) + insert + text.slice(place.to).trimStart();
    const cursor = place.from + insert.length;
    look(next, cursor);
    requestAnimationFrame(() => input.current?.setSelectionRange(cursor, cursor));
  };
  return (
    <div className={styles.box}>
      <Combobox store={combobox} onOptionSubmit={take} withinPortal={false} offset={4}>
        <Combobox.Target withExpandedAttribute>
          <TextInput
            ref={input}
            value={text}
            size="sm"
            role="combobox"
            aria-label="Filter, or anything to look for"
            aria-describedby={wrong ? told : undefined}
            aria-invalid={wrong ? true : undefined}
            error={Boolean(wrong)}
            placeholder="Paste an e-mail, address, token, id or path – or filter: status>=500 AND path=&quot;/api/*&quot;"
            leftSection={<IconSearch size={16} />}
            rightSection={busy ? <span className={styles.busy} role="status" aria-label="Looking" /> : null}
            spellCheck={false}
            autoComplete="off"
            classNames={{ input: styles.input }}
            onChange={({ currentTarget: { value, selectionStart } }) => look(value, selectionStart)}
            onFocus={({ currentTarget: { value, selectionStart } }) => look(value, selectionStart)}
            onClick={({ currentTarget: { value, selectionStart } }) => look(value, selectionStart)}
            onBlur={() => combobox.closeDropdown()}
            onKeyDown={(event) => {
              if (event.key === 'Escape' && !combobox.dropdownOpened) input.current?.blur();
              if (event.key !== 'Enter' || combobox.getSelectedOptionIndex() >= 0) return;
              event.preventDefault();
              combobox.closeDropdown();
              onFilter(text);
            }}
          />
        </Combobox.Target>
        <Combobox.Dropdown hidden={completions.length === 0} className={styles.dropdown}>
          <Combobox.Options aria-label="Completions">
            {completions.map(({ text, note, insert }) => (
              <Combobox.Option key={text} value={insert} className={styles.option}>
                <bdi className={styles.name}>{legible(text, 120)}</bdi>
                <span className={styles.note}>{note}</span>
              </Combobox.Option>
            ))}
          </Combobox.Options>
        </Combobox.Dropdown>
      </Combobox>
      {wrong && <BadFilter id={told} text={filter} error={wrong} />}
    </div>
  );
}

function useCompletions(place: Place | null, text: string, window: Window): Completion[] {
  const fields = useQuery({
    queryKey: ['fields'],
    queryFn: async () => (await answer(api.GET('/fields'))).fields,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const name = place?.kind === 'value' ? place.field : '';
  const [wanted] = useDebouncedValue(name, 150);
  const field = useMemo(() => {
    const named = (all: string) => fields.data?.find(({ name, also }) => name === all || also.includes(all));
    return named(name) ?? (name.startsWith('param.') ? named('param.NAME') : undefined);
  }, [fields.data, name]);
  const values = useQuery({
    queryKey: ['values', wanted, window.last, window.from, window.to],
    queryFn: async ({ signal }) => {
      const query = { ...asked(window), values: wanted };
      const told = await answer(api.GET('/fields', { params: { query }, signal }));
      return told.fields[0]?.values ?? [];
    },
    enabled: Boolean(wanted && field && ['text', 'status', 'ip'].includes(field.type)),
    placeholderData: keepPreviousData,
    staleTime: 60_000,
  });
  return useMemo(() => {
    if (!place) return [];
    if (place.kind === 'field') return fieldCompletions(place, text, fields.data ?? []);
    if (!field) return [];
    const counted = wanted === name ? (values.data ?? []) : [];
    const all = counted.map(({ value, requests }) => ({ value, note: count(requests) }));
    return valueCompletions(place, field.type, [...givenValues(field.type), ...all]);
  }, [place, text, fields.data, field, values.data, wanted, name]);
}
