import type { Failed } from '../api/client';
import { legible } from '../show/legible';
import styles from './FilterBox.module.css';

/** What is wrong with a filter, at the place. */
export function BadFilter({ id, text, error }: { id: string; text: string; error: Failed }) {
  const { detail, offset, length } = error.problem;
  const message = detail.replace(/^at byte \d+: /, '');
  if (offset === undefined || offset === null) {
    return (
      <div id={id} role="alert" className={styles.wrong}>
        {legible(message)}
      </div>
    );
  }
  // The server counts bytes of UTF-8.
  const bytes = new TextEncoder().encode(text);
  const piece = (from: number, to?: number) => legible(new TextDecoder().decode(bytes.slice(from, to)));
  const at = offset;
  const end = Math.min(bytes.length, at + (length ?? 1));
  return (
    <div id={id} role="alert" className={styles.wrong}>
      <div className={styles.where}>
        {piece(0, at)}
        <mark>{piece(at, end) || ' '}</mark>
        {piece(end)}
      </div>
      {legible(message)}
    </div>
  );
}
