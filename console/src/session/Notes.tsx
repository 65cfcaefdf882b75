import { ActionIcon, Button, Textarea } from '@mantine/core';
import { IconTrash } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { answer, api } from '../api/client';
import { legible } from '../show/legible';
import { Problem } from '../show/Problem';
import { useClock } from '../time/zone';
import styles from './Notes.module.css';
import { notesQuestion } from './questions';

interface Props {
  session: string;
  /** Those on a request of it, and the one that a new note goes to. */
  request?: string;
  onShow?(request: string): void;
}

/** What people wrote down about a session and its requests. */
export function Notes({ session, request, onShow }: Props) {
  const clock = useClock();
  const client = useQueryClient();
  const [text, setText] = useState('');
  const { data, error, refetch } = useQuery(notesQuestion(session));
  const known = () => client.invalidateQueries({ queryKey: ['session/notes', session] });
  const add = useMutation({
    mutationFn: (text: string) =>
      request
        ? answer(api.POST('/requests/{id}/notes', { params: { path: { id: request } }, body: { text } }))
        : answer(api.POST('/sessions/{id}/notes', { params: { path: { id: session } }, body: { text } })),
    onSuccess: () => {
      setText('');
      return known();
    },
  });
  const remove = useMutation({
    mutationFn: (id: string) => answer(api.DELETE('/notes/{id}', { params: { path: { id } } })),
    onSuccess: known,
  });
  if (error) return <Problem error={error} onRetry={refetch} />;
  const shown = data?.filter((note) => !request || note.request_id === request) ?? [];
  return (
    <div className={styles.notes}>
      {data && !shown.length && !request && <p className="quiet">Nobody has written anything about this session.</p>}
      {shown.map(({ id, text, author, at, request_id }) => (
        <article key={id} className={styles.note}>
          <div className={styles.head}>
            <span className="quiet">
              {legible(author)} · {clock.both(at)}
            </span>
            {request_id && onShow && (
              <button type="button" className={styles.on} onClick={() => onShow(request_id)}>
                on a request
              </button>
            )}
            <ActionIcon
              variant="subtle"
              color="gray"
              c="dimmed"
              size={24}
              aria-label="Remove the note"
              onClick={() => remove.mutate(id)}
            >
              <IconTrash size={14} />
            </ActionIcon>
          </div>
          <p className={styles.text}>
            {text
              .split('\n')
              .map((line) => legible(line))
              .join('\n')}
          </p>
        </article>
      ))}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim()) add.mutate(text);
        }}
      >
        <Textarea
          size="xs"
          autosize={false}
          rows={3}
          maxLength={10_000}
          aria-label={request ? 'Note on the request' : 'Note'}
          placeholder={request ? 'A note on this request' : 'What did you find out?'}
          value={text}
          error={add.error?.message}
          onChange={(event) => setText(event.currentTarget.value)}
        />
        <Button type="submit" size="xs" variant="default" mt={6} disabled={!text.trim()} loading={add.isPending}>
          Add note
        </Button>
      </form>
      {remove.error && <Problem error={remove.error} />}
    </div>
  );
}
