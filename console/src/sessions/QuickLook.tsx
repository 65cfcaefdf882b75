import { Loader } from '@mantine/core';
import { IconArrowRight } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useSearch } from '@tanstack/react-router';
import { answer, api, type Part, type Request } from '../api/client';
import { term } from '../filter/text';
import { Statistics } from '../session/Statistics';
import { Go } from '../shell/Go';
import { Pick } from '../shell/Pick';
import { legible } from '../show/legible';
import { bytes, count, counted, took } from '../show/numbers';
import { Problem } from '../show/Problem';
import { Status } from '../show/Statuses';
import { useClock } from '../time/zone';
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
  const { id, day, requests } = part;
  const about = { from: `${day}T00:00:00Z`, to: `${day}T23:59:59.999999Z`, noise: 'show' } as const;
  return (
    <div className={styles.look}>
      <div className={styles.statistics}>
        <Open part={part} />
        <Statistics id={id} about={about} counted={COUNTED} top={5} state={requests} />
      </div>
      <Requests part={part} />
    </div>
  );
}

/** The way to the full page, the filter of the list taken along. */
function Open({ part: { id, day } }: { part: Part }) {
  const { filter, noise } = useSearch({ from: '/sessions' });
  return (
    <Go
      to="/sessions/$id"
      params={{ id }}
      search={{ day, filter, general: filter, noise }}
      className={styles.open}
      data-full
    >
      Open the session <IconArrowRight size={14} />
    </Go>
  );
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
