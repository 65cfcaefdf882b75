import { Button, CloseButton } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { IconColumns2 } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import type { BesideSearch, SessionsSearch } from '../router';
import styles from './SessionsPage.module.css';

/** The rows that stand in the address. */
export const chosenRows = ({ chosen }: SessionsSearch) => chosen?.split(',').filter(Boolean) ?? [];

/** With one more, or one fewer: of more than two the last two. */
export function choosing(search: SessionsSearch, row: string): Partial<SessionsSearch> {
  const was = chosenRows(search);
  const now = was.includes(row) ? was.filter((one) => one !== row) : [...was, row].slice(-2);
  return { chosen: now.join() || undefined };
}

/** What is done with rows that were chosen: two are seen side by side. */
export function Chosen({ search, onNone }: { search: SessionsSearch; onNone(): void }) {
  const navigate = useNavigate();
  const [left, right] = chosenRows(search);
  const beside = () => {
    const what: BesideSearch = { left, right, general: search.filter, noise: search.noise };
    if (right) navigate({ to: '/beside', search: what });
  };
  useHotkeys([['c', beside]]);
  if (!left) return null;
  return (
    <span className={styles.chosen}>
      <Button
        size="xs"
        h={30}
        variant="light"
        disabled={!right}
        leftSection={<IconColumns2 size={15} />}
        title={right ? 'Both sessions and their steps (c)' : undefined}
        onClick={beside}
      >
        {right ? 'Side by side' : 'Choose one more to see both side by side'}
      </Button>
      <CloseButton size={30} aria-label="Choose none" title="Choose none" onClick={onNone} />
    </span>
  );
}
