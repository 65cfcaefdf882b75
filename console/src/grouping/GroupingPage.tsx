import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback } from 'react';
import type { Question } from '../filter/AskBar';
import { AskPage } from '../filter/AskPage';
import { useLive } from '../sessions/useLive';
import { Card } from '../show/Card';
import { Loading } from '../show/Loading';
import { legible } from '../show/legible';
import { count, counted, share } from '../show/numbers';
import { byAddress, isSplit, ofSplit } from './advice';
import styles from './GroupingPage.module.css';
import { Keys } from './Keys';
import { Merged } from './Merged';
import { Plans } from './Plans';
import { type Decided, decidedQuestion } from './questions';
import { Told } from './Told';

const SINGLE = 'session.requests=1';

/** Which keys make the sessions, and whether they make good ones. */
export function GroupingPage() {
  const search = useSearch({ from: '/grouping' });
  const navigate = useNavigate({ from: '/grouping' });
  const change = useCallback(
    (to: Question, replace = false) => navigate({ search: (now) => ({ ...now, ...to }), replace }),
    [navigate],
  );
  const decided = useQuery(decidedQuestion(search));
  const single = useQuery(decidedQuestion(search, SINGLE));
  const live = useLive(search.live === '1', search, ['grouping/decided', 'grouping/merged']);
  return (
    <AskPage title="Grouping" asked={search} on={decided} live={live} onAsk={change}>
      {decided.isPending && <Loading />}
      {decided.data && (
        <div className={styles.parts}>
          {decided.data.length > 0 ? (
            <>
              <Verdict decided={decided.data} />
              <Keys decided={decided.data} />
              <Merged asked={search} />
              {single.data && <Split decided={decided.data} single={single.data} />}
            </>
          ) : (
            <p>No request {search.filter ? 'fits the filter' : 'was made'} in this time.</p>
          )}
          <Plans />
        </div>
      )}
    </AskPage>
  );
}

/** The first thing one wants to know: how many requests nobody told who they belong to. */
function Verdict({ decided }: { decided: Decided[] }) {
  const { share, requests, advice } = byAddress(decided);
  return (
    <section className={styles.verdict} aria-label="By address alone">
      <p role="status">
        {requests === 0 ? (
          <strong className={styles.fine}>Every request says who it belongs to</strong>
        ) : (
          <>
            <strong className={advice ? styles.poor : undefined}>{share} of the requests</strong> are told apart by
            address and User-Agent alone ({count(requests)})
          </>
        )}
      </p>
      {advice && <Told advice={advice} />}
    </section>
  );
}

/** Keys whose sessions are one request each. */
function Split({ decided, single }: { decided: Decided[]; single: Decided[] }) {
  const of = (one: Decided) => single.find(({ source, name }) => source === one.source && name === one.name);
  const split = decided.filter((one) => isSplit(one, of(one)));
  const all = single.reduce((sum, { sessions }) => sum + sessions, 0);
  const sessions = decided.reduce((sum, one) => sum + one.sessions, 0);
  return (
    <Card title="Perhaps one in several sessions">
      <p>
        {counted(all, 'session')} of {count(sessions)} ({share(all, sessions)}) have a single request.{' '}
        {split.length === 0 && 'No key makes mostly such sessions.'}
      </p>
      {split.map((one) => (
        <p key={`${one.source} ${one.name}`}>
          <strong>{legible(one.name, 80)}</strong>: {count(of(one)?.sessions ?? 0)} of{' '}
          {counted(one.sessions, 'session')} with one request
        </p>
      ))}
      {split.length > 0 && <Told advice={ofSplit} />}
    </Card>
  );
}
