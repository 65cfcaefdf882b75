import type { ReactNode } from 'react';
import styles from './Card.module.css';

interface Props {
  title: string;
  /** What stands beside the title. */
  beside?: ReactNode;
  children: ReactNode;
}

/** A part of a page with its title. */
export function Card({ title, beside, children }: Props) {
  return (
    <section className={styles.card} aria-label={title}>
      <div className={styles.head}>
        <h2 className={styles.title}>{title}</h2>
        {beside}
      </div>
      {children}
    </section>
  );
}
