import { Code } from '@mantine/core';
import type { Advice } from './advice';
import styles from './GroupingPage.module.css';

/** What to change in nginx.conf. */
export function Told({ advice: { text, lines } }: { advice: Advice }) {
  return (
    <div className={styles.advice}>
      <p>{text}</p>
      {lines && (
        <Code block tabIndex={0}>
          {lines}
        </Code>
      )}
    </div>
  );
}
