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
  /** Of keys, where it is from and what readers call it. */
  source?: string;
  name?: string;
}

const plain = (values: string[]): Value[] => values.map((value) => ({ value, hashed: false }));

/** Values that both may have in common, and how many of a part are told at most. */
const SHARED: [title: string, of: (part: ToldPart) => Value[], limit: number][] = [
  ['User', ({ user }) => (user ? [user] : []), Number.POSITIVE_INFINITY],
  ['Role', ({ roles }) => roles, 5],
  ['Key', ({ keys }) => keys, 5],
  ['Address', ({ ips }) => plain(ips), 10],
  ['Country', ({ countries }) => plain(countries), 5],
  ['Network', ({ networks }) => plain(networks), 5],
  ['User-Agent', ({ user_agents }) => plain(user_agents), 5],
  ['Host', ({ hosts }) => plain(hosts), 10],
  ['Attacks', ({ attacks }) => plain(Object.keys(attacks)), 20],
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
        {SHARED.map(([title, of, limit]) => (
          <Shared
            key={title}
            title={title}
            left={valuesOf(left, of)}
            right={valuesOf(right, of)}
            cut={[left, right].some(({ all }) => all.parts.some((part) => of(part).length >= limit))}
          />
        ))}
      </tbody>
    </table>
  );
}

const valuesOf = ({ all }: Side, of: (part: ToldPart) => Value[]) => each(all.parts, of, nameOf);

const nameOf = ({ source = '', value }: Value) => `${source} ${value}`;

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

function Shared({ title, left, right, cut }: { title: string; left: Value[]; right: Value[]; cut: boolean }) {
  if (!left.length && !right.length) return null;
  const how = howOf(left, right);
  // There may be more values than are told: that all are the same, or none, is not known.
  const sign = cut && how !== 'some' ? undefined : <Sign how={how} />;
  return <Fact title={title} sign={sign} left={<Values values={left} />} right={<Values values={right} />} />;
}

function howOf(left: Value[], right: Value[]): 'same' | 'some' | 'other' {
  const common = left.filter((value) => right.some((other) => nameOf(other) === nameOf(value))).length;
  if (common === 0) return 'other';
  return common === Math.max(left.length, right.length) ? 'same' : 'some';
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
      {values.slice(0, ROOM).map(({ source = '', name, value, hashed }) => (
        <span key={`${source} ${value}`} className={styles.value} title={legible(`${source} ${value}`.trim(), 500)}>
          {name && <span className="quiet">{legible(name, 40)} </span>}
          <bdi>{hashed ? <Name value={value} hashed /> : legible(value, 90)}</bdi>
        </span>
      ))}
      {values.length > ROOM && <span className="quiet">+{values.length - ROOM}</span>}
    </>
  );
}
