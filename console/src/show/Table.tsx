import type { ReactNode } from 'react';
import styles from './Table.module.css';

interface Props {
  label: string;
  /** The titles of the columns; those with `#` hold numbers. */
  columns: readonly string[];
  /** The rows, each a `tr`. */
  children: ReactNode;
}

/** A table that moves sideways where it is too wide for the page, by keys, too. */
export function Table({ label, columns, children }: Props) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: else keys cannot move it sideways
    <div className={styles.sideways} tabIndex={0} role="group" aria-label={label}>
      <table className={styles.table}>
        <thead>
          <tr>
            {columns.map((title) => (
              <th key={title} scope="col" className={title.startsWith('#') ? 'number' : undefined}>
                {title.replace(/^#/, '')}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
