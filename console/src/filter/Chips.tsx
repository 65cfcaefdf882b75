import { IconX } from '@tabler/icons-react';
import { legible } from '../show/legible';
import styles from './Chips.module.css';
import { joined, negated, split } from './text';

/** The terms of a filter, each to be turned round or taken away. */
export function Chips({ filter, onFilter }: { filter: string; onFilter(text: string): void }) {
  const { terms, join } = split(filter);
  const replaced = (n: number, ...by: string[]) => onFilter(joined({ terms: terms.toSpliced(n, 1, ...by), join }));
  return terms.map((term, n) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: a term may be there twice
    <span key={`${n} ${term}`} className={styles.chip}>
      {n > 0 && <span className={styles.join}>{join.toLowerCase()}</span>}
      <button
        type="button"
        className={styles.term}
        title="Turn round: without this, or only with this"
        onClick={() => replaced(n, negated(term))}
      >
        <bdi>{legible(term, 90)}</bdi>
      </button>
      <button
        type="button"
        className={styles.away}
        aria-label={`Take away ${legible(term, 90)}`}
        onClick={() => replaced(n)}
      >
        <IconX size={12} />
      </button>
    </span>
  ));
}
