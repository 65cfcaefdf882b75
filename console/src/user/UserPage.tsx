import { useQuery } from '@tanstack/react-query';
import type { Group, Part } from '../api/client';
import { term } from '../filter/text';
import { Go } from '../shell/Go';
import { Card } from '../show/Card';
import { Loading } from '../show/Loading';
import { legible } from '../show/legible';
import { Name } from '../show/Name';
import { bytes, count, counted, shortCount, span } from '../show/numbers';
import { Problem } from '../show/Problem';
import { Statuses } from '../show/Statuses';
import { Table } from '../show/Table';
import type { Window } from '../time/window';
import { type Clock, useClock } from '../time/zone';
import { type Lane, Lanes } from './Lanes';
import { isPseudonym } from './pseudonym';
import { activityQuestion, LANES, SESSIONS, sessionsQuestion } from './questions';
import styles from './UsersPage.module.css';

const KINDS = [
  ['ip', 'Addresses'],
  ['country', 'Countries'],
  ['user_agent', 'Devices'],
] as const;

/** All of a user on one timeline: sessions, addresses, devices. */
export function UserPage({ user, window }: { user: string; window: Window }) {
  const clock = useClock();
  const all = useQuery(activityQuestion(user, window, undefined, ['sessions', 'errors', 'client_errors', 'bytes_out']));
  const sessions = useQuery(sessionsQuestion(user, window));
  const error = all.error ?? sessions.error;
  if (error) return <Problem error={error} onRetry={() => (all.error ? all.refetch() : sessions.refetch())} />;
  if (!all.data || !sessions.data) return <Loading />;
  const parts = sessions.data.sessions;
  const { from, to, groups } = all.data;
  const [total] = groups;
  const roles = new Map(parts.flatMap(({ roles }) => roles).map((role) => [role.value, role]));
  return (
    <>
      <div className={styles.head}>
        <h1 className={styles.name}>
          <Name value={user} hashed={isPseudonym(user)} />
        </h1>
        {[...roles.values()].slice(0, 3).map(({ value, hashed }) => (
          <span key={value} className={styles.role}>
            <Name value={value} hashed={hashed} />
          </span>
        ))}
        {total && (
          <span>
            {counted(total.requests, 'request')} in {counted(total.sessions ?? 0, 'session')}
            <span className="quiet"> · {bytes(total.bytes_out ?? 0)} sent</span>
            {Boolean(total.errors || total.client_errors) && (
              <span className="quiet">
                {' '}
                · {count(total.client_errors ?? 0)} × 4xx, {count(total.errors ?? 0)} × 5xx
              </span>
            )}
          </span>
        )}
        <Go
          to="/sessions"
          search={{ filter: term('user', user), last: window.last, from: window.from, to: window.to }}
          className={styles.away}
        >
          In the list
        </Go>
      </div>
      {!parts.length && (
        <div className={styles.nothing}>
          <p>No request names this user in this time. Sessions of the last seven days are kept.</p>
        </div>
      )}
      {parts.length > 0 && (
        <div className={styles.parts}>
          {KINDS.map(([by, title]) => (
            <Activity key={by} user={user} window={window} by={by} title={title} />
          ))}
          <Lanes
            title="Sessions"
            lanes={sessionLanes(parts, clock)}
            from={from}
            to={to}
            more={Math.max(0, new Set(parts.map(({ id }) => id)).size - LANES)}
          />
          <Sessions parts={parts} more={Boolean(sessions.data.next_page_token)} />
        </div>
      )}
    </>
  );
}

/** A lane for each of the sessions seen last. */
function sessionLanes(parts: Part[], clock: Clock): Lane[] {
  const byId = new Map<string, Part[]>();
  for (const part of parts) byId.set(part.id, [...(byId.get(part.id) ?? []), part]);
  const most = Math.max(...parts.map(({ requests }) => requests));
  return [...byId].slice(0, LANES).map(([id, its]) => ({
    key: id,
    label: (
      <Go to="/sessions/$id" params={{ id }} className={styles.link}>
        <span className="mono">{id.slice(0, 12)}</span>{' '}
        <span className="quiet">{legible(its[0]?.keys[0]?.name ?? '', 20)}</span>
      </Go>
    ),
    stays: its.map(({ first_seen, last_seen, requests }) => ({
      from: Date.parse(first_seen),
      to: Date.parse(last_seen),
      title: `${clock.both(first_seen)} – ${clock.both(last_seen)}, ${counted(requests, 'request')}`,
      weight: requests / most,
    })),
    told: shortCount(its.reduce((sum, { requests }) => sum + requests, 0)),
  }));
}

/** When the user came with which value; what came last stands last. */
function Activity({ user, window, by, title }: { user: string; window: Window; by: string; title: string }) {
  const clock = useClock();
  const { data, error, refetch } = useQuery(activityQuestion(user, window, by, ['errors']));
  if (error) return <Problem error={error} onRetry={refetch} />;
  const groups = data?.groups.filter(({ group, series }) => group[by] && series?.length) ?? [];
  if (!data || !groups.length) return null;
  const most = Math.max(...groups.flatMap(({ series }) => series?.map(({ requests }) => requests) ?? []));
  const begun = ({ series }: Group) => Date.parse(series?.[0]?.from ?? '');
  const lanes = groups
    .sort((one, other) => begun(one) - begun(other))
    .map((group): Lane => {
      const value = group.group[by] ?? '';
      return {
        key: value,
        label: (
          <Go
            to="/sessions"
            search={{ filter: `${term('user', user)} AND ${term(by, value)}`, last: '7d' }}
            className={styles.link}
          >
            {legible(value, 80)}
          </Go>
        ),
        stays: (group.series ?? []).map(({ from, requests }) => ({
          from: Date.parse(from),
          to: Date.parse(from) + data.ms,
          title: `${clock.both(from)}: ${counted(requests, 'request')}`,
          weight: requests / most,
        })),
        told: shortCount(group.requests),
      };
    });
  return <Lanes title={title} lanes={lanes} from={data.from} to={data.to} more={Math.max(0, data.count - LANES)} />;
}

function Sessions({ parts, more }: { parts: Part[]; more: boolean }) {
  const clock = useClock();
  return (
    <Card title="Each session">
      <Table label="Sessions of the user" columns={['Session', 'Length', '#Requests', 'Answers', 'Addresses', 'Hosts']}>
        {parts.map(({ id, day, first_seen, duration_ms, requests, statuses, ips, ip_count, hosts }) => (
          <tr key={`${id} ${day}`}>
            <th scope="row">
              <Go to="/sessions/$id" params={{ id }} search={{ day }} className={styles.link}>
                {clock.both(first_seen)}
              </Go>
            </th>
            <td>{span(duration_ms)}</td>
            <td className="number">{count(requests)}</td>
            <td>
              <Statuses statuses={statuses} />
            </td>
            <td className="mono">
              {legible(ips.slice(0, 2).join(', '))}
              {ip_count > 2 && <span className="quiet"> +{ip_count - 2}</span>}
            </td>
            <td>{legible(hosts.slice(0, 2).join(', '), 80)}</td>
          </tr>
        ))}
      </Table>
      {more && <p className="quiet">The last {SESSIONS} are shown; the list has all of them.</p>}
    </Card>
  );
}
