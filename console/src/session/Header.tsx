import { IconArrowLeft } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useSearch } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { answer, api } from '../api/client';
import { term } from '../filter/text';
import { Go } from '../shell/Go';
import { Pick } from '../shell/Pick';
import { legible } from '../show/legible';
import { Name } from '../show/Name';
import { bytes, count, counted, span } from '../show/numbers';
import { Statuses } from '../show/Statuses';
import { useClock } from '../time/zone';
import styles from './Header.module.css';
import { Labels } from './Labels';
import { each, type Whole } from './whole';

/** Values of a kind that have room. */
const ROOM = 3;

/** Whose session it is, since when, how much, from where. */
export function Header({ id, shown, actions }: { id: string; shown: Whole; actions: ReactNode }) {
  const clock = useClock();
  const { general, day } = useSearch({ from: '/sessions/$id' });
  const { parts, between } = shown;
  const { from, to } = between;
  const user = parts.find(({ user }) => user)?.user;
  const keys = each(
    parts,
    (part) => part.keys,
    ({ source, value }) => `${source} ${value}`,
  );
  const roles = each(
    parts,
    (part) => part.roles,
    ({ value }) => value,
  );
  const users = Math.max(...parts.map(({ user_count }) => user_count));
  const first = user ?? keys[0];
  const values = (field: string, of: (part: (typeof parts)[number]) => string[], all?: number) => {
    const known = each(parts, of, (value) => value);
    return <Values field={field} values={known} all={Math.max(all ?? 0, known.length)} />;
  };
  const nodes = useQuery({
    queryKey: ['session/nodes', id, day],
    queryFn: async ({ signal }) => {
      const query = { group_by: 'node', metrics: 'requests', noise: 'show', from: `${parts.at(-1)?.day}T00:00:00Z` };
      const told = await answer(
        api.GET('/sessions/{id}/stats', { params: { path: { id }, query: query as never }, signal }),
      );
      return told.groups.flatMap(({ group }) => group.node ?? []);
    },
  });
  return (
    <header className={styles.header}>
      <div className={styles.top}>
        <Go to="/sessions" search={{ filter: general }} className={styles.back}>
          <IconArrowLeft size={14} /> Sessions
        </Go>
        <h1 className={styles.name}>
          {first ? <Name value={first.value} hashed={first.hashed} /> : legible(parts[0]?.ips[0] ?? id)}
          {users > 1 && <span className="quiet"> and {counted(users - 1, 'other user')}</span>}
        </h1>
        {user && (
          <Go to="/users" search={{ user: user.value }} className={styles.back}>
            All of this user
          </Go>
        )}
        {roles.slice(0, ROOM).map(({ value, hashed }) => (
          <span key={value} className={styles.role}>
            <Pick term={term('role', value)} value={value} what="Role">
              <Name value={value} hashed={hashed} />
            </Pick>
          </span>
        ))}
        <Marks shown={shown} />
        <Labels id={id} />
        <span className={styles.actions}>{actions}</span>
      </div>
      <dl className={styles.facts}>
        <Fact title="Time">
          {clock.both(from)} – {clock.date(from) === clock.date(to) ? clock.time(to) : clock.both(to)}{' '}
          <span className="quiet">{span(to - from)}</span>
        </Fact>
        <Fact title="Requests">
          {count(shown.requests)} <Statuses statuses={shown.statuses} />
        </Fact>
        <Fact title="Visits">{count(shown.visits)}</Fact>
        <Fact title="Sent">{bytes(shown.bytesOut)}</Fact>
        <Fact title="Address">
          <span className="mono">
            {values('ip', ({ ips }) => ips, parts.length === 1 ? parts[0]?.ip_count : undefined)}
          </span>{' '}
          {values('country', ({ countries }) => countries)} {values('network', ({ networks }) => networks)}
        </Fact>
        <Fact title="Key">
          {keys.slice(0, ROOM).map(({ source, name, value, hashed }) => (
            <span key={`${source} ${value}`} title={legible(source, 200)}>
              <span className="quiet">{legible(name, 40)}</span>{' '}
              <Pick term={term('key.value', value)} value={value} what="Key">
                <Name value={value} hashed={hashed} />
              </Pick>{' '}
            </span>
          ))}
          {keys.length > ROOM && <span className="quiet">+{keys.length - ROOM}</span>}
        </Fact>
        <Fact title="User-Agent">{values('user_agent', ({ user_agents }) => user_agents)}</Fact>
        <Fact title="Host">{values('host', ({ hosts }) => hosts)}</Fact>
        <Fact title="Node">{nodes.data && <Values field="node" values={nodes.data} all={nodes.data.length} />}</Fact>
        <Fact title="Id">
          <Pick term={term('session_id', id)} value={id} what="Id">
            <span className="mono">{id.slice(0, 12)}…</span>
          </Pick>
        </Fact>
      </dl>
    </header>
  );
}

/** What one should know of it before anything else. */
function Marks({ shown: { parts } }: { shown: Whole }) {
  const attacks = each(
    parts,
    (part) => Object.keys(part.attacks),
    (type) => type,
  );
  const often = (type: string) => parts.reduce((sum, part) => sum + (part.attacks[type] ?? 0), 0);
  return (
    <>
      {attacks.slice(0, ROOM).map((type) => (
        <span key={type} className={styles.attack}>
          <Pick term={term('attack', type)} value={type} what="Attack">
            {legible(type, 30)} {count(often(type))}
          </Pick>
        </span>
      ))}
      {attacks.length > ROOM && <span className={styles.attack}>+{attacks.length - ROOM}</span>}
      {parts.some(({ blocked }) => blocked) && <span className={styles.attack}>blocked</span>}
      {parts.some(({ mcp }) => mcp) && <span className={styles.role}>AI agent</span>}
    </>
  );
}

function Fact({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className={styles.fact}>
      <dt>{title}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Values({ field, values, all }: { field: string; values: string[]; all: number }) {
  if (!values.length) return null;
  return (
    <>
      {values.slice(0, ROOM).map((value) => (
        <span key={value} className={styles.value}>
          <Pick term={term(field, value)} value={value}>
            {legible(value, 70)}
          </Pick>
        </span>
      ))}
      {all > ROOM && <span className="quiet">+{count(all - ROOM)}</span>}
    </>
  );
}
