import { Button } from '@mantine/core';
import { problemOf } from './Problem';
import styles from './Trouble.module.css';

/** What went wrong beside what is shown, in a line. */
export function Trouble({ what, error, onRetry }: { what: string; error: Error; onRetry(): void }) {
  const { title, detail } = problemOf(error);
  return (
    <div role="alert" className={styles.trouble}>
      <strong>{what}</strong>
      <span>
        {title}
        {detail && `: ${detail}`}
      </span>
      <Button size="compact-xs" variant="default" onClick={onRetry}>
        Try again
      </Button>
    </div>
  );
}
