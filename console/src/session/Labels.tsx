import { ActionIcon, TextInput } from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { answer, api } from '../api/client';
import { legible } from '../show/legible';
import styles from './Labels.module.css';

/** The labels of a session, to be given and taken away. */
export function Labels({ id }: { id: string }) {
  const client = useQueryClient();
  const [writing, setWriting] = useState(false);
  const [text, setText] = useState('');
  const labels = useQuery({
    queryKey: ['session/labels', id],
    queryFn: async ({ signal }) =>
      (await answer(api.GET('/sessions/{id}/labels', { params: { path: { id } }, signal }))).labels,
  });
  const known = useQuery({
    queryKey: ['labels'],
    queryFn: async ({ signal }) => (await answer(api.GET('/labels', { signal }))).labels,
    enabled: writing,
  });
  const change = useMutation({
    mutationFn: async ({ label, there }: { label: string; there: boolean }) => {
      const params = { path: { id, label } };
      if (there) await answer(api.PUT('/sessions/{id}/labels/{label}', { params }));
      else await answer(api.DELETE('/sessions/{id}/labels/{label}', { params }));
    },
    onSuccess: () => {
      setText('');
      setWriting(false);
      for (const key of ['session/labels', 'labels', 'sessions']) client.invalidateQueries({ queryKey: [key] });
    },
  });
  return (
    <span className={styles.labels}>
      {labels.data?.map(({ label }) => (
        <span key={label} className={styles.label}>
          <bdi className="cut">{legible(label)}</bdi>
          <button
            type="button"
            className={styles.away}
            aria-label={`Take away the label ${legible(label)}`}
            onClick={() => change.mutate({ label, there: false })}
          >
            <IconX size={12} />
          </button>
        </span>
      ))}
      {writing ? (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (text.trim()) change.mutate({ label: text.trim(), there: true });
          }}
        >
          <TextInput
            size="xs"
            autoFocus
            aria-label="Label"
            placeholder="Label, then Enter"
            maxLength={64}
            list="labels"
            value={text}
            error={change.error?.message}
            onChange={(event) => setText(event.currentTarget.value)}
            onKeyDown={(event) => event.key === 'Escape' && setWriting(false)}
          />
          <datalist id="labels">
            {known.data?.map(({ label }) => (
              <option key={label} value={label} />
            ))}
          </datalist>
        </form>
      ) : (
        <ActionIcon
          variant="default"
          size={24}
          aria-label="Give a label"
          title="Give a label"
          onClick={() => setWriting(true)}
        >
          <IconPlus size={14} />
        </ActionIcon>
      )}
      {change.error && !writing && <span role="alert">{change.error.message}</span>}
    </span>
  );
}
