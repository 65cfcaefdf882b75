import { Loader } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useSearch } from '@tanstack/react-router';
import { answer, api, type Part, type Request } from '../api/client';
import { term } from '../filter/text';
import { Pick } from '../shell/Pick';
import { legible } from '../show/legible';
import { bytes, count, counted, share, took } from '../show/numbers';
import { Problem } from '../show/Problem';
import { Status } from '../show/Statuses';
import { useClock } from '../time/zone';
import { Endpoint } from './columns';
import styles from './QuickLook.module.css';
import { shownNoise } from './questions';

/** What is counted, and what it is called. */
const COUNTED = [
  ['endpoint', 'Endpoints'],
  ['status', 'Statuses'],
  ['ip', 'Addresses'],
  ['user', 'Users'],
  ['user_agent', 'User-Agents'],
] as const;

const REQUESTS = 100;

/** A session in place: what its requests have in common on the left, the requests on the right. */
export function QuickLook({ part }: { part: Part }) {
  return (
    <div className={styles.look}>
      <Statistics part={part} />
      <Requests part={part} />
    </div>
  );
}

/** Counts of each value; a click filters by it. */
function Statistics({ part: { id, day, requests } }: { part: Part }) {
  const window = { from: `${day}T00:00:00Z`, to: `${day}T23:59:59.999999Z` };
  const { data, error } = useQuery({
    queryKey: ['look/stats', id, day, requests],
    queryFn: ({ signal }) =>
      Promise.all(
        COUNTED.map(async ([by, title]) => {
          const query = { ...window, noise: 'show', group_by: by, top: 5, metrics: 'requests' };
          const told = await answer(
            api.GET('/sessions/{id}/stats', { params: { path: { id }, query: query as never }, signal }),
          );
          return { by, title, ...told };
        }),
      ),
  });
  if (error) return <Problem error={error} />;
  return (
    <div className={styles.statistics}>
      {!data && <Loader size="sm" />}
      {data
        ?.filter(({ groups }) => groups.some(({ group }) => Object.values(group).some((value) => value !== null)))
        .map(({ by, title, groups, group_count }) => (
          <section key={by} aria-label={title}>
            <h3 className={styles.title}>{title}</h3>
            {groups.map(({ group, requests: n }) => {
              const value = group[by] ?? null;
              const asked = by === 'status' && value !== null ? `status=${value}` : term(by, value);
              return (
                <div key={value ?? ''} className={styles.value}>
                  <Pick term={asked} value={value ?? ''} className={styles.name}>
                    <Value by={by} value={value} />
                  </Pick>
                  <span className={styles.share}>
                    {count(n)} <span className="quiet">{share(n, requests)}</span>
                  </span>
                </div>
              );
            })}
            {group_count > groups.length && <div className="quiet">+{count(group_count - groups.length)} more</div>}
          </section>
        ))}
    </div>
  );
}

function Value({ by, value }: { by: string; value: string | null }) {
  if (value === null) return <i>none</i>;
  return by === 'endpoint' ? <Endpoint text={value} host={false} /> : legible(value, 90);
}

/** The first requests, those that the filter of the list leaves. */
function Requests({ part: { id, day, requests } }: { part: Part }) {
  const clock = useClock();
  const search = useSearch({ from: '/sessions' });
  const asked = { filter: search.filter, noise: shownNoise(search) };
  const { data, error, refetch } = useQuery({
    queryKey: ['look/requests', id, day, requests, asked],
    queryFn: ({ signal }) =>
      answer(
        api.GET('/sessions/{id}/requests', {
          params: { path: { id }, query: { day, ...asked, page_size: REQUESTS } },
          signal,
        }),
      ),
  });
  if (error) return <Problem error={error} onRetry={refetch} />;
  if (!data) return <Loader size="sm" m="md" />;
  return (
    <div className={styles.requests}>
      <table className={styles.table}>
        <caption className={styles.caption}>
          {data.next_page_token
            ? `The first ${count(data.requests.length)} requests`
            : counted(data.requests.length, 'request')}
          {data.requests.length < requests && !data.next_page_token && ` of ${count(requests)}, those of the filter`}
        </caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Request</th>
            <th scope="col" className="number">
              Status
            </th>
            <th scope="col" className="number">
              Took
            </th>
            <th scope="col" className="number">
              Size
            </th>
          </tr>
        </thead>
        <tbody>
          {data.requests.map((request) => (
            <Line key={request.id} request={request} time={clock.exact(request.ts)} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Line({
  request: { method, host, path, endpoint, status, duration_us, bytes_out, usual },
  time,
}: {
  request: Request;
  time: string;
}) {
  const slow = usual && duration_us > 2 * usual.duration_us.p95;
  return (
    <tr>
      <td className={styles.time}>{time}</td>
      <td className={styles.path}>
        <Pick term={term('endpoint', endpoint)} value={`${host}${path}`} className={styles.name}>
          <span className="quiet">{legible(method, 16)}</span> {legible(path, 400)}
        </Pick>
      </td>
      <td className="number">
        <Status status={status} />
      </td>
      <td
        className="number"
        title={
          usual ? `usually ${took(usual.duration_us.p50)}, 19 of 20 within ${took(usual.duration_us.p95)}` : undefined
        }
      >
        <span className={slow ? styles.slow : undefined}>{took(duration_us)}</span>
      </td>
      <td className="number">{bytes(bytes_out)}</td>
    </tr>
  );
}
