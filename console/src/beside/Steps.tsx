import { memo, useCallback } from 'react';
import { templateOf } from '../session/RequestRow';
import { Go } from '../shell/Go';
import { legible } from '../show/legible';
import { count, span, took } from '../show/numbers';
import { Rows } from '../show/Rows';
import { Status } from '../show/Statuses';
import { useClock } from '../time/zone';
import type { Pair, Step } from './align';
import type { Named } from './questions';
import { Sign } from './Sign';
import styles from './Steps.module.css';

interface Props {
  pairs: Pair[];
  left: Named;
  right: Named;
}

/** The steps of two sessions, those that are alike beside each other. */
export function Steps({ pairs, left, right }: Props) {
  const keyOf = useCallback((n: number) => keyOfPair(pairs[n]) ?? String(n), [pairs]);
  return (
    <Rows
      label="Steps"
      className={styles.steps}
      known={pairs.length}
      total={pairs.length + 1}
      keyOf={keyOf}
      head={
        <div role="row" className={`${styles.pair} ${styles.head}`}>
          <span role="columnheader">Left</span>
          <span role="columnheader" aria-label="How they differ" />
          <span role="columnheader">Right</span>
        </div>
      }
      row={(n) => pairs[n] && <Beside pair={pairs[n]} index={n} left={left} right={right} />}
    />
  );
}

const keyOfPair = (pair: Pair | undefined) => pair && [pair.left?.line.key, pair.right?.line.key].join(' ');

const Beside = memo(function Beside({
  pair,
  index,
  left,
  right,
}: {
  pair: Pair;
  index: number;
  left: Named;
  right: Named;
}) {
  return (
    <div role="row" aria-rowindex={index + 2} className={styles.pair}>
      <Side step={pair.left} other={pair.right} of={left} />
      <span role="cell" className={styles.sign}>
        <Sign how={pair.how} told={toldOf(pair)} />
      </span>
      <Side step={pair.right} other={pair.left} of={right} />
    </div>
  );
});

function toldOf({ how, left, right }: Pair): string | undefined {
  if (how === 'some') return 'in both, with another path';
  if (how !== 'other') return undefined;
  return left?.status === right?.status ? 'in both, another number of times' : 'in both, answered otherwise';
}

function Side({ step, other, of: { id, day } }: { step: Step | null; other: Step | null; of: Named }) {
  const clock = useClock();
  if (!step) return <span role="cell" className={styles.none} />;
  const { line, idle, changes, calls, status } = step;
  const first = line.kind === 'run' ? line.requests[0] : line.request;
  if (!first) return null;
  const { method, mcp, ts, duration_us } = first;
  const path = line.kind === 'run' ? templateOf(first) : first.path;
  const differs = (is: number, was: number | undefined) =>
    was !== undefined && is !== was ? styles.differs : undefined;
  return (
    <div role="cell" className={styles.side}>
      {idle > 0 && <div className="quiet cut">After a pause of {span(idle)}</div>}
      {changes.map(({ field, what, is }) => (
        <div key={field} className="cut">
          Other {what} <bdi>{is === null ? <i>none</i> : legible(is, 80)}</bdi>
        </div>
      ))}
      <div className={styles.step}>
        <Go
          to="/sessions/$id"
          params={{ id }}
          search={{ day, request: first.id }}
          className={styles.time}
          title={`${clock.date(ts)} ${clock.exact(ts)}`}
          data-toggle
        >
          {clock.time(ts)}
        </Go>
        <span className={styles.what} title={legible(path, 500)}>
          <bdi className="cut">
            <span className="quiet">{legible(method, 16)}</span> {legible(path, 200)}
            {mcp && <strong> {legible(`${mcp.method} ${mcp.primitive}`, 80)}</strong>}
          </bdi>
          {(calls > 1 || (other?.calls ?? 1) > 1) && <b className={differs(calls, other?.calls)}>×{count(calls)}</b>}
        </span>
        <span className={`number ${differs(status, other?.status) ?? ''}`}>
          <Status status={status} />
        </span>
        <span className={`number quiet ${styles.took}`}>{took(duration_us)}</span>
      </div>
    </div>
  );
}
