import { useQuery } from '@tanstack/react-query';
import type { Part } from '../api/client';
import type { Question } from '../filter/AskBar';
import { Go } from '../shell/Go';
import { Card } from '../show/Card';
import { legible } from '../show/legible';
import { Name } from '../show/Name';
import { count, counted } from '../show/numbers';
import { Problem } from '../show/Problem';
import { Table } from '../show/Table';
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
    <Card title="Perhaps several in one session">
      {error && <Problem error={error} onRetry={refetch} />}
      {data && (
        <p>
          {data.count === 0 ? 'No session' : counted(data.count, 'session')} came from {MANY_ADDRESSES} addresses or
          more.
        </p>
      )}
      {data && data.sessions.length > 0 && (
        <>
          <Table
            label="Sessions from many addresses"
            columns={['Session', 'Key', '#Addresses', '#User-Agents', '#Users', '#Requests']}
          >
            {data.sessions.map((part) => {
              const key = keyOf(part);
              return (
                <tr key={`${part.id} ${part.day}`}>
                  <th scope="row">
                    <Go to="/sessions/$id" params={{ id: part.id }} search={{ day: part.day }} className={styles.link}>
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
          </Table>
          {[...sources].slice(0, 3).map((source) => (
            <Told key={source} advice={ofMerged(source)} />
          ))}
        </>
      )}
    </Card>
  );
}

const keyOf = (part: Part) => part.keys[0];
