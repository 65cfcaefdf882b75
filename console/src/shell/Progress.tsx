import { Button } from '@mantine/core';
import { useIsFetching, useMutation, useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { answer, api } from '../api/client';
import { isOwn } from '../api/underWay';
import { counted } from '../show/numbers';
import styles from './Progress.module.css';

/** Who waits longer wants to know how far it is. */
const LONG = 1500;
const EVERY = 1000;

const KEY = 'under way';

/** How far questions are that take long, and a way to cancel them. */
export function Progress() {
  const busy = useIsFetching({ predicate: ({ queryKey }) => queryKey[0] !== KEY }) > 0;
  const [long, setLong] = useState(false);
  useEffect(() => {
    if (!busy) {
      setLong(false);
      return;
    }
    const waiting = setTimeout(() => setLong(true), LONG);
    return () => clearTimeout(waiting);
  }, [busy]);
  const { data } = useQuery({
    queryKey: [KEY],
    queryFn: async ({ signal }) => {
      const { queries } = await answer(api.GET('/queries', { signal }));
      return queries.filter(({ query_id }) => isOwn(query_id));
    },
    enabled: long,
    refetchInterval: EVERY,
    gcTime: 0,
    staleTime: 0,
    retry: false,
  });
  const cancel = useMutation({
    mutationFn: (ids: string[]) =>
      Promise.allSettled(
        ids.map((query_id) => answer(api.DELETE('/queries/{query_id}', { params: { path: { query_id } } }))),
      ),
  });
  if (!long || !data?.length) return null;
  const [done, days] = data.reduce(([done, days], one) => [done + one.days_done, days + one.days], [0, 0]);
  return (
    <div className={styles.progress} role="status" aria-label="Under way">
      <span>
        {counted(data.length, 'question')} under way, {done} of {counted(days, 'day')} looked at
      </span>
      {days > 0 && <progress className={styles.bar} max={days} value={done} aria-label={`${done} of ${days} days`} />}
      <Button
        size="compact-xs"
        variant="default"
        loading={cancel.isPending}
        onClick={() => cancel.mutate(data.map(({ query_id }) => query_id))}
      >
        Cancel
      </Button>
    </div>
  );
}
