import styles from './Endpoint.module.css';
import { legible } from './legible';

/** An endpoint, its method apart; the host only where there are several. */
export function Endpoint({ text, host }: { text: string; host: boolean }) {
  const [, method = '', where = '', path = text] = /^(\S+) ([^/]*)(.*)$/s.exec(text) ?? [];
  return (
    <>
      <span className={styles.method}>{legible(method, 16)}</span> {host && legible(where, 60)}
      {legible(path, 120) || (!host && legible(where, 60))}
    </>
  );
}
