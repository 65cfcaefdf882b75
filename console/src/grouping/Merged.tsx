import { useQuery } from '@tanstack/react-query';
import type { Part } from '../api/client';
import type { Question } from '../filter/AskBar';
import { Go } from '../shell/Go';
import { legible } from '../show/legible';
import { Name } from '../show/Name';
import { count, counted } from '../show/numbers';
import { Problem } from '../show/Problem';
import { useClock } from '../time/zone';
import { ofMerged } from './advice';
import styles from './GroupingPage.module.css';
import { MANY_ADDRESSES, mergedQuestion } from './questions';
import { Told } from './Told';

/** Sessions that may be those of several people. */
export function Merged({ asked }: { asked: Question }) {
  const clock = useClock();
  const { data, error, refetch } = useQuery(mergedQuestion(asked));
  const sources = new Set(data?.sessions.map((part) => keyOf(part)?.source ?? 'ip'));
  return (
    <section className={styles.part} aria-label="Perhaps several in one session">
      <h2>Perhaps several in one session</h2>
      {error && <Problem error={error} onRetry={refetch} />}
      {data && (
        <p>
          {data.count === 0 ? 'No session' : counted(data.count, 'session')} came from {MANY_ADDRESSES} addresses or
          more.
        </p>
      )}
      {data && data.sessions.length > 0 && (
        <>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: else keys cannot move it sideways */}
          <div className={styles.scroller} tabIndex={0} role="group" aria-label="Sessions from many addresses">
            <table className={styles.table}>
              <thead>
                <tr>
                  <th scope="col">Session</th>
                  <th scope="col">Key</th>
                  <th scope="col" className="number">
                    Addresses
                  </th>
                  <th scope="col" className="number">
                    User-Agents
                  </th>
                  <th scope="col" className="number">
                    Users
                  </th>
                  <th scope="col" className="number">
                    Requests
                  </th>
                </tr>
              </thead>
              <tbody>
                {data.sessions.map((part) => {
                  const key = keyOf(part);
                  return (
                    <tr key={`${part.id} ${part.day}`}>
                      <th scope="row">
                        <Go
                          to="/sessions/$id"
                          params={{ id: part.id }}
                          search={{ day: part.day }}
                          className={styles.link}
                        >
                          {clock.both(part.first_seen)}
                        </Go>
                      </th>
                      <td>
                        {key && (
                          <>
                            <span className="quiet">{legible(key.name, 40)}</span>{' '}
                            <Name value={key.value.slice(0, 60)} hashed={key.hashed} />
                          </>
                        )}
                      </td>
                      <td className="number">{count(part.ip_count)}</td>
                      {/* Five are told of a session at most. */}
                      <td className="number">
                        {part.user_agents.length}
                        {part.user_agents.length === 5 && '+'}
                      </td>
                      <td className="number">{count(part.user_count)}</td>
                      <td className="number">{count(part.requests)}</td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
          </div>
          {[...sources].slice(0, 3).map((source) => (
            <Told key={source} advice={ofMerged(source)} />
          ))}
        </>
      )}
    </section>
  );
}

const keyOf = (part: Part) => part.keys[0];
