import type { ReactNode } from 'react';
import type { Worker } from '../api/client';
import { legible } from '../show/legible';
import { bytes, count, counted, shortCount, span } from '../show/numbers';
import { Table } from '../show/Table';
import { isSilent, lostBy, reasonOf } from './health';
import styles from './Workers.module.css';

/** The workers of a node, a row each. */
export function Workers({ workers, name }: { workers: Worker[]; name: string }) {
  return (
    <Table
      label={`Workers of ${legible(name, 100)}`}
      columns={['Worker', 'Reported', 'Lost', 'Queue', 'Memory', 'Without acknowledgement', 'Spool', '#Requests']}
    >
      {workers.map((worker) => (
        <Row key={worker.instance} worker={worker} />
      ))}
    </Table>
  );
}

function Row({ worker }: { worker: Worker }) {
  const { pid, instance, age_ms, queue, spool, drops, next_seq, kid } = worker;
  const lost = Object.entries(drops).filter(([, n]) => n > 0);
  return (
    <tr className={isSilent(worker) ? styles.silent : undefined}>
      <th scope="row" title={`instance ${instance}, secret ${kid}`}>
        {pid || instance.slice(0, 8)}
      </th>
      <td>{age_ms < 1000 ? 'now' : `${span(age_ms)} ago`}</td>
      <td>
        {lost.length ? (
          <span className={styles.lost} title={lost.map(([reason, n]) => `${reason}: ${count(n)}`).join(', ')}>
            {count(lostBy(worker))}{' '}
            <span className={styles.why}>{lost.map(([reason]) => legible(reasonOf(reason), 60)).join('; ')}</span>
          </span>
        ) : (
          'none'
        )}
      </td>
      <td>
        <Filled is={queue.length ?? 0} most={queue.capacity ?? 0} told={shortCount} />
      </td>
      <td>
        <Filled is={queue.bytes ?? 0} most={queue.memory ?? 0} told={bytes} />
      </td>
      <td>
        {count(queue.unacked_events ?? 0)}{' '}
        <span className="quiet">in {counted(queue.unacked_chunks ?? 0, 'chunk')}</span>
      </td>
      <td>{spool ? <Filled is={spool.bytes ?? 0} most={spool.max ?? 0} told={bytes} /> : <Quiet>off</Quiet>}</td>
      <td className="number">{count(next_seq)}</td>
    </tr>
  );
}

const Quiet = ({ children }: { children: ReactNode }) => <span className="quiet">{children}</span>;

/** How full something is. */
function Filled({ is, most, told }: { is: number; most: number; told(n: number): string }) {
  if (!most) return <Quiet>–</Quiet>;
  return (
    <span className={styles.filled}>
      <span>
        {told(is)} <Quiet>of {told(most)}</Quiet>
      </span>
      <meter
        className={styles.meter}
        min={0}
        max={most}
        high={most * 0.8}
        value={is}
        aria-label={`${told(is)} of ${told(most)}`}
      />
    </span>
  );
}
