import { and } from '../filter/text';
import { Go } from '../shell/Go';
import { Card } from '../show/Card';
import { legible } from '../show/legible';
import { count, share } from '../show/numbers';
import { Table } from '../show/Table';
import { isAddress } from './advice';
import styles from './GroupingPage.module.css';
import type { Decided } from './questions';

/** Requests by the key that decided. */
export function Keys({ decided }: { decided: Decided[] }) {
  const all = decided.reduce((sum, { requests }) => sum + requests, 0);
  return (
    <Card title="Keys that decided">
      <Table
        label="Keys by their requests"
        columns={['Key', 'Source', '#Requests', 'Share', '#Sessions', '#Requests a session']}
      >
        {decided.map((one) => (
          <tr key={`${one.source} ${one.name}`}>
            <th scope="row">
              <Go
                to="/sessions"
                search={(now) => ({ ...now, filter: and(undefined, one.filter) })}
                className={styles.link}
              >
                {legible(one.name, 60) || 'none'}
              </Go>
            </th>
            <td className="mono">
              <span className={styles.cut}>{legible(one.source, 80)}</span>
            </td>
            <td className="number">{count(one.requests)}</td>
            <td>
              <span className={styles.share}>
                <span
                  className={isAddress(one) ? styles.poorFill : styles.fill}
                  style={{ width: `${(100 * one.requests) / all}%` }}
                />
              </span>{' '}
              {share(one.requests, all)}
            </td>
            <td className="number">{count(one.sessions)}</td>
            <td className="number">{(one.requests / Math.max(1, one.sessions)).toFixed(1)}</td>
          </tr>
        ))}
      </Table>
    </Card>
  );
}
