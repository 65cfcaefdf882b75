import { Button, Skeleton } from '@mantine/core';
import { useSearch } from '@tanstack/react-router';
import { type Request, wrongFilter } from '../api/client';
import type { SessionSearch } from '../router';
import { count } from '../show/numbers';
import { Problem } from '../show/Problem';
import { Trouble } from '../show/Trouble';
import { usePages } from '../show/usePages';
import { requestsQuestion } from './questions';
import { RequestPanel } from './RequestPanel';
import { RequestTable } from './RequestTable';
import styles from './SessionPage.module.css';
import type { Whole } from './whole';

interface Props {
  id: string;
  shown: Whole;
  counts: { count: number; hidden: number } | undefined;
  onChange(to: Partial<SessionSearch>): void;
  onRequest(id: string | undefined): void;
}

const requestsOf = ({ requests }: { requests: Request[] }) => requests;

/** The requests in their order, page by page, and the one that is shown in full. */
export function Sequence({ id, shown, counts, onChange, onRequest }: Props) {
  const search = useSearch({ from: '/sessions/$id' });
  const list = usePages(requestsQuestion(id, search), requestsOf);
  const move = (by: number) => {
    const at = list.rows.findIndex((request) => request.id === search.request);
    const next = at < 0 ? undefined : list.rows[at + by]?.id;
    if (next) onRequest(next);
  };
  return (
    <>
      <div className={styles.sequence}>
        {!list.known && !list.error && <Skeleton height={220} width="auto" m="md" />}
        {list.error && !wrongFilter(list.error) && <Problem error={list.error} onRetry={list.refetch} />}
        {list.known && list.rows.length === 0 && <Nothing hidden={counts?.hidden ?? 0} onChange={onChange} />}
        {list.rows.length > 0 && (
          <RequestTable
            requests={list.rows}
            parts={shown.parts}
            folding={search.each !== '1'}
            shown={search.request}
            onShow={onRequest}
            more={list.more}
            onMore={list.onMore}
            foot={list.rest && <Trouble what="The rest is missing." error={list.rest} onRetry={list.onMore} />}
            old={list.old}
            total={counts && counts.count + 1}
          />
        )}
      </div>
      {search.request && <RequestPanel id={search.request} onClose={() => onRequest(undefined)} onMove={move} />}
    </>
  );
}

function Nothing({ hidden, onChange }: { hidden: number; onChange(to: Partial<SessionSearch>): void }) {
  return (
    <div className={styles.nothing}>
      <p>No request of the session is left by filter and time.</p>
      {hidden > 0 && (
        <Button size="xs" onClick={() => onChange({ noise: 'show' })}>
          Show noise ({count(hidden)})
        </Button>
      )}
      <Button
        size="xs"
        variant="default"
        onClick={() => onChange({ filter: undefined, from: undefined, to: undefined })}
      >
        Show all requests
      </Button>
    </div>
  );
}
