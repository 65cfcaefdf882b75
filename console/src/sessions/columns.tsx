import { Badge } from '@mantine/core';
import type { ReactNode } from 'react';
import type { Part } from '../api/client';
import { term } from '../filter/text';
import { Pick } from '../shell/Pick';
import { Endpoint } from '../show/Endpoint';
import { legible } from '../show/legible';
import { Name } from '../show/Name';
import { bytes, count, shortCount, span } from '../show/numbers';
import { Statuses } from '../show/Statuses';
import type { Clock } from '../time/zone';
import styles from './SessionList.module.css';

/** A column of the list. */
export interface Column {
  id: string;
  title: string;
  /** As in `grid-template-columns`. */
  width: string;
  /** Whether it is there unless somebody chooses. */
  usual: boolean;
  number?: boolean;
  cell(part: Part, clock: Clock): ReactNode;
}

const today = (clock: Clock, time: string) => clock.date(time) === clock.date(Date.now());

/** A field's value with the field's name, or nothing. */
const picked = (field: string, value: string, children?: ReactNode) => (
  <Pick term={term(field, value)} value={value}>
    {children}
  </Pick>
);

export const COLUMNS: Column[] = [
  {
    id: 'when',
    title: 'Start, length',
    width: '118px',
    usual: true,
    cell: ({ first_seen, duration_ms }, clock) => (
      <>
        <div className="cut" title={first_seen}>
          {today(clock, first_seen) ? clock.time(first_seen) : clock.both(first_seen)}
        </div>
        <div className="quiet">{span(duration_ms)}</div>
      </>
    ),
  },
  {
    id: 'who',
    title: 'User or key',
    width: 'minmax(120px, 1.1fr)',
    usual: true,
    cell: ({ user, user_count, role, keys }) => {
      const key = keys[0];
      return (
        <>
          <div className="cut">
            {user ? (
              <strong className={styles.user}>{picked('user', user.value, <Name {...user} />)}</strong>
            ) : (
              key && picked('key.value', key.value, <Name value={key.value} hashed={key.hashed} />)
            )}
            {user_count > 1 && <span className="quiet"> +{count(user_count - 1)}</span>}
          </div>
          <div className="cut quiet">
            {role && <>{picked('role', role.value, <Name {...role} />)} · </>}
            {key && picked('key.name', key.name)}
          </div>
        </>
      );
    },
  },
  {
    id: 'requests',
    title: 'Requests',
    width: '84px',
    usual: true,
    number: true,
    cell: ({ requests, matched, statuses }) => (
      <div className={styles.requests}>
        <div title={matched !== null && matched < requests ? 'in the window and filter, of all' : undefined}>
          {matched !== null && matched < requests ? (
            <>
              {shortCount(matched)} <span className="quiet">of {shortCount(requests)}</span>
            </>
          ) : (
            shortCount(requests)
          )}
        </div>
        <Statuses statuses={statuses} />
      </div>
    ),
  },
  {
    id: 'endpoints',
    title: 'Commonest endpoints',
    width: 'minmax(200px, 3fr)',
    usual: true,
    cell: ({ top_endpoints, endpoint_count, hosts }) => {
      const shown = top_endpoints.slice(0, 4);
      return (
        <div className={styles.endpoints}>
          {shown.map(({ endpoint, requests }) => (
            <span key={endpoint} className={styles.endpoint}>
              {picked('endpoint', endpoint, <Endpoint text={endpoint} host={hosts.length > 1} />)}
              {requests > 1 && <span className="quiet">×{shortCount(requests)}</span>}
            </span>
          ))}
          {endpoint_count > shown.length && <span className="quiet">+{count(endpoint_count - shown.length)} more</span>}
        </div>
      );
    },
  },
  {
    id: 'hosts',
    title: 'Hosts',
    width: 'minmax(90px, 0.8fr)',
    usual: true,
    cell: ({ hosts, applications }) => (
      <>
        <div className="cut">
          {hosts[0] && picked('host', hosts[0])}
          {hosts.length > 1 && <span className="quiet"> +{hosts.length - 1}</span>}
        </div>
        <div className="cut quiet">{applications[0] && picked('application', applications[0])}</div>
      </>
    ),
  },
  {
    id: 'address',
    title: 'Address',
    width: 'minmax(110px, 1fr)',
    usual: true,
    cell: ({ ips, ip_count, countries, networks, network_labels }) => (
      <>
        <div className="cut">
          {ips[0] && <span className="mono">{picked('ip', ips[0])}</span>}
          {ip_count > 1 && <span className="quiet"> +{count(ip_count - 1)}</span>}
        </div>
        <div className="cut quiet">
          {countries[0] && picked('country', countries[0])}
          {countries.length > 1 && ` +${countries.length - 1}`}
          {networks[0] && <> · {picked('network', networks[0])}</>}
          {network_labels[0] && <> · {network_labels[0]}</>}
        </div>
      </>
    ),
  },
  {
    id: 'marks',
    title: 'Marks',
    width: '92px',
    usual: true,
    cell: ({ labels, mcp, attacks }) => (
      <div className={styles.marks}>
        {Object.entries(attacks).map(([type, n]) => (
          <Badge key={type} size="sm" radius="sm" color="red" variant="light">
            {legible(type, 20)} {n}
          </Badge>
        ))}
        {mcp && (
          <Badge size="sm" radius="sm" variant="light" title="Calls of an AI agent are in it">
            AI agent
          </Badge>
        )}
        {labels.slice(0, 2).map((label) => (
          <Badge key={label} size="sm" radius="sm" variant="default" title={legible(label)}>
            {legible(label, 12)}
          </Badge>
        ))}
      </div>
    ),
  },
  {
    id: 'seen',
    title: 'Last seen',
    width: '118px',
    usual: false,
    cell: ({ last_seen }, clock) => clock.both(last_seen),
  },
  {
    id: 'agent',
    title: 'User-Agent',
    width: 'minmax(140px, 1.4fr)',
    usual: false,
    cell: ({ user_agents }) => user_agents[0] && <div className="cut">{picked('user_agent', user_agents[0])}</div>,
  },
  {
    id: 'methods',
    title: 'Methods',
    width: '120px',
    usual: false,
    cell: ({ methods }) => (
      <div className="cut">
        {Object.entries(methods)
          .map(([method, n]) => `${legible(method, 12)} ${shortCount(n)}`)
          .join(', ')}
      </div>
    ),
  },
  {
    id: 'bytes',
    title: 'Bytes out',
    width: '84px',
    usual: false,
    number: true,
    cell: ({ bytes_out }) => bytes(bytes_out),
  },
  {
    id: 'id',
    title: 'Id',
    width: '110px',
    usual: false,
    cell: ({ id }) => <span className="mono">{picked('session_id', id, id.slice(0, 12))}</span>,
  },
];

/** The columns that a reader chose, or the usual ones. */
export function chosenColumns(ids: string | undefined): Column[] {
  const wanted = ids?.split(',');
  const chosen = COLUMNS.filter(({ id, usual }) => (wanted ? wanted.includes(id) : usual));
  return chosen.length ? chosen : COLUMNS.filter(({ usual }) => usual);
}
