import type { ReactNode } from 'react';
import type { ToldPart } from '../api/client';
import { each, type Whole } from '../session/whole';
import { Go } from '../shell/Go';
import { legible } from '../show/legible';
import { Name } from '../show/Name';
import { bytes, count, span } from '../show/numbers';
import { Statuses } from '../show/Statuses';
import { useClock } from '../time/zone';
import styles from './Facts.module.css';
import type { Named } from './questions';
import { Sign } from './Sign';

type Side = Named & { all: Whole };

interface Value {
  value: string;
  hashed: boolean;
}

const plain = (values: string[]): Value[] => values.map((value) => ({ value, hashed: false }));

/** Values that both may have in common. */
const SHARED: [title: string, of: (part: ToldPart) => Value[]][] = [
  ['User', ({ user }) => (user ? [user] : [])],
  ['Role', ({ roles }) => roles],
  ['Key', ({ keys }) => keys],
  ['Address', ({ ips }) => plain(ips)],
  ['Country', ({ countries }) => plain(countries)],
  ['Network', ({ networks }) => plain(networks)],
  ['User-Agent', ({ user_agents }) => plain(user_agents)],
  ['Host', ({ hosts }) => plain(hosts)],
  ['Attacks', ({ attacks }) => plain(Object.keys(attacks))],
];

/** Values of a kind that have room. */
const ROOM = 4;

/** What is known of both, a line each. */
export function Facts({ left, right }: { left: Side; right: Side }) {
  return (
    <table className={styles.facts} aria-label="What is known of both">
      <thead>
        <tr>
          <th scope="col">
            <span className="unseen">What</span>
          </th>
          <th scope="col">
            <Open side={left} which="left" />
          </th>
          <th scope="col" className={styles.sign}>
            <span className="unseen">The same</span>
          </th>
          <th scope="col">
            <Open side={right} which="right" />
          </th>
        </tr>
      </thead>
      <tbody>
        <Fact title="Time" left={<Time {...left} />} right={<Time {...right} />} />
        <Fact title="Requests" left={<Requests {...left} />} right={<Requests {...right} />} />
        {SHARED.map(([title, of]) => (
          <Shared key={title} title={title} left={valuesOf(left, of)} right={valuesOf(right, of)} />
        ))}
      </tbody>
    </table>
  );
}

const valuesOf = ({ all }: Side, of: (part: ToldPart) => Value[]) => each(all.parts, of, ({ value }) => value);

function Open({ side: { id, day }, which }: { side: Side; which: string }) {
  return (
    <Go
      to="/sessions/$id"
      params={{ id }}
      search={{ day }}
      className={styles.open}
      aria-label={`Open the session on the ${which}`}
    >
      <span className="mono">{id.slice(0, 12)}</span> {day}
    </Go>
  );
}

function Time({ all: { between } }: Side) {
  const clock = useClock();
  return (
    <>
      {clock.both(between.from)} <span className="quiet">{span(between.to - between.from)}</span>
    </>
  );
}

function Requests({ all: { requests, visits, bytesOut, statuses } }: Side) {
  return (
    <>
      {count(requests)} <Statuses statuses={statuses} />{' '}
      <span className="quiet">
        {visits > 1 && `${count(visits)} visits, `}
        {bytes(bytesOut)}
      </span>
    </>
  );
}

function Shared({ title, left, right }: { title: string; left: Value[]; right: Value[] }) {
  if (!left.length && !right.length) return null;
  const common = left.filter(({ value }) => right.some((other) => other.value === value)).length;
  const how = common === 0 ? 'other' : common === Math.max(left.length, right.length) ? 'same' : 'some';
  return (
    <Fact title={title} sign={<Sign how={how} />} left={<Values values={left} />} right={<Values values={right} />} />
  );
}

function Fact({ title, left, sign, right }: { title: string; left: ReactNode; sign?: ReactNode; right: ReactNode }) {
  return (
    <tr>
      <th scope="row">{title}</th>
      <td>{left}</td>
      <td className={styles.sign}>{sign}</td>
      <td>{right}</td>
    </tr>
  );
}

function Values({ values }: { values: Value[] }) {
  if (!values.length) return <i className="quiet">none</i>;
  return (
    <>
      {values.slice(0, ROOM).map(({ value, hashed }) => (
        <span key={value} className={styles.value} title={legible(value, 500)}>
          <bdi>{hashed ? <Name value={value} hashed /> : legible(value, 90)}</bdi>
        </span>
      ))}
      {values.length > ROOM && <span className="quiet">+{values.length - ROOM}</span>}
    </>
  );
}
