import { Loader } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Go } from '../shell/Go';
import { legible } from '../show/legible';
import { Name } from '../show/Name';
import { counted } from '../show/numbers';
import { Problem } from '../show/Problem';
import { useClock } from '../time/zone';
import { relatedQuestion } from './questions';
import styles from './RelatedSessions.module.css';

const SHARED: Record<string, string> = { user: 'Same user', ip: 'Same address' };

/** Sessions that share a user or an address with this one. */
export function RelatedSessions({ id: own }: { id: string }) {
  const clock = useClock();
  const { data, error, refetch } = useQuery(relatedQuestion(own));
  if (error) return <Problem error={error} onRetry={refetch} />;
  if (!data) return <Loader size="sm" />;
  if (!data.related.length) return <p className="quiet">No other session has a user or an address of this one.</p>;
  return (
    <ul className={styles.list}>
      {data.related.map(({ id, last_seen, why }) => (
        <li key={id}>
          <Go to="/sessions/$id" params={{ id }} className={styles.link}>
            <span className="mono">{id.slice(0, 12)}</span>
          </Go>
          <span className="quiet"> last seen {clock.both(last_seen)}</span>{' '}
          <Go
            to="/beside"
            search={{ left: own, right: id }}
            className={styles.link}
            aria-label={`Side by side with ${id.slice(0, 12)}`}
          >
            Side by side
          </Go>
          {why.map(({ what, value, hashed, requests }) => (
            <div key={`${what} ${value}`} className="cut">
              <span className="quiet">{SHARED[what] ?? legible(what)}</span> <Name value={value} hashed={hashed} />{' '}
              <span className="quiet">{counted(requests, 'request')}</span>
            </div>
          ))}
        </li>
      ))}
      {data.more && <li className="quiet">There are more.</li>}
    </ul>
  );
}
