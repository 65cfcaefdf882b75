import { Button, Checkbox, Tabs } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { useCallback, useEffect, useMemo } from 'react';
import { type Request, wrongFilter } from '../api/client';
import { Chips } from '../filter/Chips';
import { FilterBox } from '../filter/FilterBox';
import { and, asFilter, split } from '../filter/text';
import type { SessionSearch } from '../router';
import { Go } from '../shell/Go';
import { Loading } from '../show/Loading';
import { legible } from '../show/legible';
import { count, counted } from '../show/numbers';
import { Problem } from '../show/Problem';
import { Actions } from './Actions';
import { Header } from './Header';
import { Notes } from './Notes';
import { about, countQuestion, notesQuestion, PAGE, partsQuestion, requestsQuestion } from './questions';
import { RelatedSessions } from './RelatedSessions';
import { Sequence } from './Sequence';
import styles from './SessionPage.module.css';
import { type Counted, Statistics } from './Statistics';
import { Timeline } from './Timeline';
import { type Whole, whole } from './whole';

const COUNTED: Counted = [
  ['endpoint', 'Endpoints'],
  ['status', 'Statuses'],
  ['method', 'Methods'],
  ['ip', 'Addresses'],
  ['country', 'Countries'],
  ['user', 'Users'],
  ['user_agent', 'User-Agents'],
  ['mcp.primitive', 'Tools of AI agents'],
];

/** The first page alone: that others come is no affair of all of the page. */
const firstOf = ({ pages }: { pages: { requests: Request[] }[] }) => pages[0]?.requests ?? [];

/** A session in full. All of its state stands in the address. */
export function SessionPage() {
  const { id } = useParams({ from: '/sessions/$id' });
  const search = useSearch({ from: '/sessions/$id' });
  const parts = useQuery(partsQuestion(id));
  const shown = useMemo(() => parts.data && whole(parts.data, search.day), [parts.data, search.day]);
  useEffect(() => {
    const user = parts.data?.find(({ user }) => user)?.user?.value;
    document.title = `${legible(user ?? id.slice(0, 12), 40)} – API Sessions`;
  }, [parts.data, id]);
  if (parts.error) return <Problem error={parts.error} onRetry={parts.refetch} />;
  if (!parts.data) return <Loading />;
  if (!shown) return <OtherDay id={id} day={search.day ?? ''} />;
  return <Shown key={id} id={id} all={parts.data.map(({ day, requests }) => ({ day, requests }))} shown={shown} />;
}

interface Props {
  id: string;
  all: { day: string; requests: number }[];
  shown: Whole;
}

function Shown({ id, all, shown }: Props) {
  const search = useSearch({ from: '/sessions/$id' });
  const navigate = useNavigate({ from: '/sessions/$id' });
  const change = useCallback(
    (to: Partial<SessionSearch>, replace = false) => navigate({ search: (now) => ({ ...now, ...to }), replace }),
    [navigate],
  );
  const list = useInfiniteQuery({ ...requestsQuestion(id, search), select: firstOf });
  const counts = useQuery(countQuestion(id, search));
  const notes = useQuery(notesQuestion(id));
  const between = useMemo(() => {
    const given = (text: string | undefined, usual: number) => (text && Date.parse(text)) || usual;
    return { from: given(search.from, shown.between.from), to: given(search.to, shown.between.to) };
  }, [search.from, search.to, shown.between]);
  const many = (counts.data?.count ?? 0) > PAGE;
  const wrong = wrongFilter(list.error);
  const onRequest = useCallback((request: string | undefined) => change({ request }, true), [change]);
  const onWindow = (window: { from: number; to: number } | null) =>
    change({
      from: window ? new Date(window.from).toISOString() : undefined,
      to: window ? new Date(Math.max(window.to, window.from + 1)).toISOString() : undefined,
    });
  // What is shown of a session is a matter of days and moments, never of now; and the day tells whether it is still kept.
  const link = () => {
    const url = new URL(window.location.href);
    if (!search.day && !search.from) {
      url.searchParams.set('from', new Date(shown.between.from).toISOString());
      url.searchParams.set('to', new Date(shown.between.to + 1).toISOString());
    }
    return url.toString();
  };
  return (
    <div className={styles.page}>
      <Header id={id} shown={shown} actions={<Actions id={id} search={search} link={link} />} />
      {all.length > 1 && (
        <Days all={all} day={search.day} onDay={(day) => change({ day, from: undefined, to: undefined })} />
      )}
      <search className={styles.bar}>
        <FilterBox
          filter={search.filter ?? ''}
          window={{ from: new Date(between.from).toISOString() }}
          wrong={wrong}
          busy={list.isPending || list.isPlaceholderData}
          onFilter={(text) => change({ filter: asFilter(text) })}
        />
      </search>
      <div className={styles.chips}>
        {search.filter && !wrong && <Chips filter={search.filter} onFilter={(filter) => change({ filter })} />}
        <General search={search} onFilter={(filter) => change({ filter })} />
        <Checkbox
          size="xs"
          label={<>Hide noise {counts.data && <span className="quiet">({count(counts.data.hidden)})</span>}</>}
          checked={search.noise !== 'show'}
          onChange={(event) => change({ noise: event.currentTarget.checked ? undefined : 'show' })}
        />
        <Checkbox
          size="xs"
          label="Fold equal calls"
          checked={search.each !== '1'}
          onChange={(event) => change({ each: event.currentTarget.checked ? undefined : '1' }, true)}
        />
        <span role="status" className={styles.told}>
          {counts.data && !wrong && (
            <>
              <strong>{counted(counts.data.count, 'request')}</strong>
              {counts.data.count < shown.requests && <span className="quiet"> of {count(shown.requests)}</span>}
            </>
          )}
        </span>
      </div>
      <Timeline
        id={id}
        asked={search}
        shown={shown}
        between={between}
        requests={many ? undefined : list.data}
        many={many}
        onWindow={onWindow}
        onRequest={onRequest}
      />
      <div className={styles.columns}>
        <Tabs
          className={styles.side}
          value={search.side ?? 'statistics'}
          onChange={(side) => change({ side: side === 'statistics' ? undefined : (side ?? undefined) }, true)}
          keepMounted={false}
        >
          <Tabs.List>
            <Tabs.Tab value="statistics">Statistics</Tabs.Tab>
            <Tabs.Tab value="notes">Notes{notes.data?.length ? ` ${notes.data.length}` : ''}</Tabs.Tab>
            <Tabs.Tab value="related">Related</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="statistics" className={styles.panel}>
            {!wrong && <Statistics id={id} about={about(search)} counted={COUNTED} top={8} state={shown.requests} />}
          </Tabs.Panel>
          <Tabs.Panel value="notes" className={styles.panel}>
            <Notes session={id} onShow={onRequest} />
          </Tabs.Panel>
          <Tabs.Panel value="related" className={styles.panel}>
            <RelatedSessions id={id} />
          </Tabs.Panel>
        </Tabs>
        <Sequence id={id} shown={shown} counts={counts.data} onChange={change} onRequest={onRequest} />
      </div>
    </div>
  );
}

/** The filter of the list that the session was opened from: taken along, dropped, taken in again. */
function General({
  search: { filter, general },
  onFilter,
}: {
  search: SessionSearch;
  onFilter(filter?: string): void;
}) {
  const terms = split(filter ?? '').terms;
  const missing = general && filter !== general && !split(general).terms.every((term) => terms.includes(term));
  return (
    <>
      {filter && (
        <Button size="compact-xs" variant="default" onClick={() => onFilter(undefined)}>
          Show all requests
        </Button>
      )}
      {missing && (
        <Button
          size="compact-xs"
          variant="default"
          title={legible(general, 500)}
          onClick={() => onFilter(filter ? and(filter, `(${general})`) : general)}
        >
          Apply filters
        </Button>
      )}
    </>
  );
}

/** The parts of other days. */
function Days({ all, day, onDay }: { all: Props['all']; day: string | undefined; onDay(day?: string): void }) {
  const choices = [
    { day: undefined as string | undefined, requests: all.reduce((sum, one) => sum + one.requests, 0) },
    ...all,
  ];
  return (
    <nav className={styles.days} aria-label="Parts of the session">
      {choices.map((one) => (
        <button
          key={one.day ?? 'all'}
          type="button"
          className={styles.day}
          aria-pressed={one.day === day}
          onClick={() => onDay(one.day)}
        >
          {one.day ?? 'All days'} <span className="quiet">{count(one.requests)}</span>
        </button>
      ))}
    </nav>
  );
}

function OtherDay({ id, day }: { id: string; day: string }) {
  return (
    <div className={styles.nothing}>
      <h1>No part on {legible(day, 20)}</h1>
      <p>The session has no requests of this day (UTC) any more, or never had.</p>
      <Go to="/sessions/$id" params={{ id }}>
        All of its days
      </Go>
    </div>
  );
}
