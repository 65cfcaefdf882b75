import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback } from 'react';
import type { Question } from '../filter/AskBar';
import { AskPage } from '../filter/AskPage';
import { useLive } from '../sessions/useLive';
import { Go } from '../shell/Go';
import { count } from '../show/numbers';
import { figuresQuestion } from '../stats/questions';
import { TopList } from '../stats/TopList';
import { Figures, METRICS } from './Figures';
import styles from './OverviewPage.module.css';
import { Slowest } from './Slowest';

const TOPS = [
  ['host', 'Hosts', ''],
  ['endpoint', 'Endpoints', ''],
  ['user', 'Users', 'No request names a user: wallarm_session_context with type=user tells where to find one.'],
  ['ip', 'Addresses', ''],
  ['network', 'Networks', 'None is known: the server needs a file that tells them (geo).'],
  ['country', 'Countries', 'None is known: the server needs a file that tells them (geo).'],
] as const;

/** How much there was, of what, and what became slower. All of its state stands in the address. */
export function OverviewPage() {
  const search = useSearch({ from: '/overview' });
  const navigate = useNavigate({ from: '/overview' });
  const ask = useCallback(
    (to: Question & { longest?: string }, replace = false) =>
      navigate({ search: (now) => ({ ...now, ...to }), replace }),
    [navigate],
  );
  const live = useLive(search.live === '1', search, ['figures', 'top']);
  const figures = useQuery(figuresQuestion(search, METRICS));
  const requests = figures.data && (figures.data.all?.requests ?? 0);
  return (
    <AskPage
      title="Overview"
      asked={search}
      on={figures}
      live={live}
      onAsk={ask}
      beside={
        <Go
          to="/sessions"
          search={{ filter: search.filter, last: search.last, from: search.from, to: search.to, noise: search.noise }}
          className={styles.link}
        >
          {figures.data?.all ? `The ${count(figures.data.all.sessions ?? 0)} sessions` : 'The sessions'}
        </Go>
      }
    >
      {requests === 0 && (
        <p className={styles.nothing}>No request {search.filter ? 'fits the filter' : 'was made'} in this time.</p>
      )}
      {requests !== 0 && (
        <div className={styles.parts}>
          <Figures
            asked={search}
            onWindow={(from, to) =>
              ask({ last: undefined, from: new Date(from).toISOString(), to: new Date(to).toISOString() })
            }
          />
          <div className={styles.tops}>
            {TOPS.map(([by, title, none]) => (
              <TopList key={by} asked={search} by={by} title={title} none={none} />
            ))}
          </div>
          <Slowest
            asked={search}
            longest={search.longest === '1'}
            onLongest={(longest) => ask({ longest: longest ? '1' : undefined }, true)}
          />
        </div>
      )}
    </AskPage>
  );
}
