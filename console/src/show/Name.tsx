import { IconHash } from '@tabler/icons-react';
import { legible } from './legible';
import styles from './Name.module.css';

/** A value that names somebody. A pseudonym is long and says nothing by itself: its beginning is shown, and that it is one. */
export function Name({ value, hashed }: { value: string; hashed: boolean }) {
  if (!hashed) return legible(value, 200);
  return (
    <span className={styles.pseudonym}>
      <IconHash size={11} aria-label="pseudonym" />
      {legible(value, 10)}
    </span>
  );
}
