import { count, share } from '../show/numbers';
import styles from './Statuses.module.css';

const CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const;
const NAMES: Record<string, string> = { '2xx': 'ok', '3xx': 'moved', '4xx': 'refused', '5xx': 'failed' };

/** `2xx`, and its colour. */
export const classOf = (status: number) => `${Math.floor(status / 100)}xx`;

/** A status in the colour of its class. */
export function Status({ status }: { status: number }) {
  return <span className={styles[NAMES[classOf(status)] ?? 'moved']}>{status}</span>;
}

/** How many answers were of which class, as a bar. */
export function Statuses({ statuses }: { statuses: Record<string, number> }) {
  const all = Object.values(statuses).reduce((sum, n) => sum + n, 0);
  const there = CLASSES.filter((name) => statuses[name]);
  const told = there
    .map((name) => `${count(statuses[name] ?? 0)} × ${name} (${share(statuses[name] ?? 0, all)})`)
    .join(', ');
  return (
    <span className={styles.bar} role="img" aria-label={told} title={told}>
      {there.map((name) => (
        <span
          key={name}
          className={`${styles.piece} ${styles[`${NAMES[name] ?? 'moved'}Fill`]}`}
          style={{ flexGrow: statuses[name] }}
        />
      ))}
    </span>
  );
}
