import styles from './Sign.module.css';

const SIGNS = {
  same: ['=', 'the same'],
  some: ['≈', 'partly the same'],
  other: ['≠', 'different'],
  left: ['←', 'only on the left'],
  right: ['→', 'only on the right'],
} as const;

/** How two things that stand beside each other differ. */
export function Sign({ how, told = SIGNS[how][1] }: { how: keyof typeof SIGNS; told?: string }) {
  return (
    <span className={styles.sign} data-how={how} title={told}>
      <span aria-hidden="true">{SIGNS[how][0]}</span>
      <span className="unseen">{told}</span>
    </span>
  );
}
