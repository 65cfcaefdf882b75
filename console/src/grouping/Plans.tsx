import { useQuery } from '@tanstack/react-query';
import type { Node } from '../api/client';
import { Card } from '../show/Card';
import { legible } from '../show/legible';
import { Problem } from '../show/Problem';
import styles from './GroupingPage.module.css';
import { plansQuestion } from './questions';

/** What each node has been told to look for, in the order in which it is tried. */
export function Plans() {
  const { data, error, refetch } = useQuery(plansQuestion);
  return (
    <Card title="Plans of the nodes">
      {error && <Problem error={error} onRetry={refetch} />}
      {data?.every(({ plans }) => !plans.length) && <p className="quiet">No node has reported one.</p>}
      {data
        ?.filter(({ plans }) => plans.length)
        .map((node) => (
          <div key={node.name} className={styles.node}>
            <h3>{legible(node.name, 100)}</h3>
            <div className={styles.plans}>
              {node.plans.map((plan) => (
                <Plan key={JSON.stringify(plan)} plan={plan} />
              ))}
            </div>
          </div>
        ))}
    </Card>
  );
}

function Plan({ plan: { keys = [], builtin_keys, contexts = [] } }: { plan: Node['plans'][number] }) {
  return (
    <div className={styles.plan}>
      <ol>
        {keys.map(({ source = '', name = '', group, show }) => (
          <li key={`${source} ${name}`}>
            <code>{legible(source, 120)}</code>
            <span className="quiet">
              {name && name !== source && ` as ${legible(name, 60)}`}
              {group && `, group ${legible(group, 60)}`}
              {show && ', shown'}
            </span>
          </li>
        ))}
        {builtin_keys && <li>the built-in headers, cookies and Authorization</li>}
        <li>address and User-Agent, else the address</li>
      </ol>
      {contexts.length > 0 && (
        <p className="quiet">
          Also takes{' '}
          {contexts
            .map(({ name = '', kind, hashed }) => {
              const marks = [kind !== 'context' && kind, hashed && 'pseudonym'].filter(Boolean).join(', ');
              return `${legible(name, 40)}${marks && ` (${marks})`}`;
            })
            .join(', ')}
        </p>
      )}
    </div>
  );
}
