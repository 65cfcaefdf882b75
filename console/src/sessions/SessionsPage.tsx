import { ActionIcon, Menu, NativeSelect, Skeleton } from '@mantine/core';
import { IconColumns3 } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback, useEffect, useMemo, useState } from 'react';
import { address, type Part, wrongFilter } from '../api/client';
import { AskBar } from '../filter/AskBar';
import { asFilter } from '../filter/text';
import type { SessionsSearch } from '../router';
import { Csv } from '../show/Csv';
import { counted } from '../show/numbers';
import { Problem } from '../show/Problem';
import { Trouble } from '../show/Trouble';
import { usePages } from '../show/usePages';
import { asked } from '../time/window';
import { Chosen, choosing, chosenRows } from './Chosen';
import { COLUMNS, chosenColumns } from './columns';
import { EmptyList } from './EmptyList';
import { findPseudonym } from './find';
import { countQuestion, ORDERS, sessionsQuestion, shownNoise, volumeQuestion } from './questions';
import { SessionList } from './SessionList';
import styles from './SessionsPage.module.css';
import { useLive } from './useLive';
import { Volume } from './Volume';

const sessionsOf = ({ sessions }: { sessions: Part[] }) => sessions;

/** The list of sessions. All of its state stands in the address. */
export function SessionsPage() {
  const search = useSearch({ from: '/sessions' });
  const navigate = useNavigate({ from: '/sessions' });
  const change = useCallback(
    (to: Partial<SessionsSearch>, replace = false) => navigate({ search: (now) => ({ ...now, ...to }), replace }),
    [navigate],
  );
  const ask = useCallback((to: Partial<SessionsSearch>) => change({ open: undefined, ...to }), [change]);
  const [found, setFound] = useState('');

  const list = usePages(sessionsQuestion(search), sessionsOf);
  const sessions = list.rows;
  const counts = useQuery(countQuestion(search));
  const volume = useQuery(volumeQuestion(search));
  const live = useLive(search.live === '1', search, ['sessions', 'sessions/count', 'volume']);
  const columns = useMemo(() => chosenColumns(search.columns), [search.columns]);

  const wrong = wrongFilter(list.error);
  const onFilter = async (text: string) => {
    setFound('');
    const hit = await findPseudonym(text);
    if (hit) setFound(`${counted(hit.sessions, 'session')} found by the pseudonym of what you pasted`);
    ask({ filter: hit?.filter ?? asFilter(text) });
  };
  const onOpen = useCallback((open: string | undefined) => change({ open }, true), [change]);
  const chosen = useMemo(() => chosenRows(search), [search]);
  const onChoose = useCallback(
    (row: string) => navigate({ search: (now) => ({ ...now, ...choosing(now, row) }), replace: true }),
    [navigate],
  );
  useEffect(() => {
    document.title = search.filter ? `${search.filter} – API Sessions` : 'Sessions – API Sessions';
  }, [search.filter]);

  return (
    <>
      <h1 className="unseen">Sessions</h1>
      <AskBar
        asked={search}
        wrong={wrong}
        busy={list.busy}
        live={live}
        hidden={
          counts.data && <span className="quiet">({counted(counts.data.hidden, 'session')} of nothing else)</span>
        }
        onFilter={onFilter}
        onAsk={ask}
        onLive={(live) => change({ live }, true)}
      >
        {found && (
          <span role="status" className="quiet">
            {found}
          </span>
        )}
      </AskBar>
      <div className={styles.volume}>
        <Volume
          asked={search}
          onWindow={(from, to) =>
            ask({ last: undefined, from: new Date(from).toISOString(), to: new Date(to).toISOString() })
          }
        />
      </div>
      <div className={styles.told}>
        <span role="status" aria-live="polite">
          {counts.data && !wrong && <strong>{counted(counts.data.shown, 'session')}</strong>}
          {volume.data && !wrong && <span className="quiet"> · {counted(volume.data.requests, 'request')}</span>}
        </span>
        <Chosen search={search} onNone={() => change({ chosen: undefined }, true)} />
        <NativeSelect
          size="xs"
          aria-label="Order"
          className={styles.order}
          data={ORDERS}
          value={search.order ?? ORDERS[0]?.value}
          onChange={({ currentTarget: { value } }) => ask({ order: value === ORDERS[0]?.value ? undefined : value })}
        />
        <Columns chosen={columns.map(({ id }) => id)} onColumns={(columns) => change({ columns }, true)} />
        <Csv
          what="All of the list"
          href={address('/sessions.csv', {
            ...asked(search),
            filter: search.filter,
            noise: shownNoise(search),
            order_by: search.order,
          })}
        />
      </div>
      {!list.known && !list.error && <Loading />}
      {list.error && !wrong && <Problem error={list.error} onRetry={list.refetch} />}
      {list.stale && <Trouble what="Not what is there now." error={list.stale} onRetry={list.refetch} />}
      {list.known && sessions.length === 0 && <Nothing search={search} hidden={counts.data?.hidden ?? 0} onAsk={ask} />}
      {sessions.length > 0 && (
        <SessionList
          sessions={sessions}
          columns={columns}
          open={search.open}
          onOpen={onOpen}
          chosen={chosen}
          onChoose={onChoose}
          more={list.more}
          onMore={list.onMore}
          foot={list.rest && <Trouble what="The rest is missing." error={list.rest} onRetry={list.onMore} />}
          old={list.old}
          total={counts.data && counts.data.shown + 1}
        />
      )}
    </>
  );
}

function Nothing({
  search,
  hidden,
  onAsk,
}: {
  search: SessionsSearch;
  hidden: number;
  onAsk(to: Partial<SessionsSearch>): void;
}) {
  const all = useQuery({ ...countQuestion({ last: '7d', noise: 'show' }), refetchInterval: 5000 });
  if (!all.data) return null;
  return <EmptyList asked={search} hidden={hidden} any={all.data.shown > 0} onAsk={onAsk} />;
}

function Loading() {
  return (
    <div className={styles.loading} role="status" aria-label="Loading">
      {Array.from({ length: 12 }, (_, n) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all the same
        <Skeleton key={n} height={30} my={8} />
      ))}
    </div>
  );
}

function Columns({ chosen, onColumns }: { chosen: string[]; onColumns(ids: string | undefined): void }) {
  const usual = COLUMNS.filter(({ usual }) => usual).map(({ id }) => id);
  const toggle = (id: string) => {
    const next = COLUMNS.map((column) => column.id).filter((one) => chosen.includes(one) !== (one === id));
    onColumns(next.join() === usual.join() ? undefined : next.join());
  };
  return (
    <Menu closeOnItemClick={false} position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="default" size={30} aria-label="Columns" title="Columns">
          <IconColumns3 size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown aria-label="Columns">
        {COLUMNS.map(({ id, title }) => (
          <Menu.CheckboxItem key={id} checked={chosen.includes(id)} onChange={() => toggle(id)}>
            {title}
          </Menu.CheckboxItem>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
