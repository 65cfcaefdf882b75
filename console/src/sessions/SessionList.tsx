import { useHotkeys } from '@mantine/hooks';
import { IconChevronDown, IconChevronRight, IconSquare, IconSquareCheck } from '@tabler/icons-react';
import { type CSSProperties, memo, type ReactNode, useCallback, useMemo } from 'react';
import type { Part } from '../api/client';
import { legible } from '../show/legible';
import { Rows } from '../show/Rows';
import { useClock } from '../time/zone';
import type { Column } from './columns';
import { QuickLook } from './QuickLook';
import { rowOf } from './questions';
import styles from './SessionList.module.css';

interface Props {
  sessions: Part[];
  columns: Column[];
  /** The row that is open. */
  open: string | undefined;
  onOpen(row: string | undefined): void;
  /** Rows that were chosen to be seen side by side. */
  chosen: string[];
  onChoose(row: string): void;
  /** Whether there are more, and how to have them. */
  more: boolean;
  onMore(): void;
  /** What stands below the last. */
  foot?: ReactNode;
  /** They are those of the question before. */
  old: boolean;
  /** Sessions in all, as far as that is known. */
  total: number | undefined;
}

const ROW = 50;

/** The list of sessions. A row opens in place; `x` chooses it. */
export function SessionList(props: Props) {
  const { sessions, columns, open, onOpen, chosen, onChoose, more, onMore, foot, old, total } = props;
  const style = useMemo(
    () => ({ '--columns': `52px ${columns.map(({ width }) => width).join(' ')}` }) as CSSProperties,
    [columns],
  );
  const keyOf = useCallback((n: number) => (sessions[n] ? rowOf(sessions[n]) : String(n)), [sessions]);
  const toggle = useCallback((row: string) => onOpen(row === open ? undefined : row), [onOpen, open]);
  const chooseFocused = () => {
    const focused = document.activeElement?.closest<HTMLElement>('[data-index]');
    const part = sessions[Number(focused?.dataset.index)];
    if (part) onChoose(rowOf(part));
  };
  useHotkeys([['x', chooseFocused]]);
  return (
    <Rows
      label="Sessions"
      className={styles.list}
      known={sessions.length}
      total={total}
      keyOf={keyOf}
      height={ROW}
      head={
        <div role="row" className={styles.columns} style={style}>
          <span role="columnheader" aria-label="Look into, choose" />
          {columns.map(({ id, title, number }) => (
            <span key={id} role="columnheader" className={number ? styles.number : undefined}>
              {title}
            </span>
          ))}
        </div>
      }
      row={(n) => {
        const part = sessions[n];
        if (!part) return null;
        const row = rowOf(part);
        return (
          <Row
            part={part}
            index={n}
            columns={columns}
            style={style}
            open={row === open}
            onToggle={toggle}
            chosen={chosen.includes(row)}
            onChoose={onChoose}
          />
        );
      }}
      more={more}
      onMore={onMore}
      foot={foot}
      old={old}
    />
  );
}

interface RowProps {
  part: Part;
  index: number;
  columns: Column[];
  style: CSSProperties;
  open: boolean;
  onToggle(row: string): void;
  chosen: boolean;
  onChoose(row: string): void;
}

const Row = memo(function Row({ part, index, columns, style, open, onToggle, chosen, onChoose }: RowProps) {
  const clock = useClock();
  const row = rowOf(part);
  const whose = legible(part.user?.value ?? part.ips[0] ?? part.id.slice(0, 8), 60);
  return (
    <>
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the button in it is what keys reach */}
      <div
        role="row"
        tabIndex={-1}
        aria-rowindex={index + 2}
        className={styles.row}
        data-open={open || undefined}
        data-chosen={chosen || undefined}
        style={style}
        onClick={() => window.getSelection()?.isCollapsed !== false && onToggle(row)}
      >
        <span role="cell">
          <button
            type="button"
            data-toggle
            className={styles.toggle}
            aria-expanded={open}
            aria-label={`Look into the session of ${whose}`}
            onClick={(event) => {
              event.stopPropagation();
              onToggle(row);
            }}
          >
            {open ? <IconChevronDown size={15} /> : <IconChevronRight size={15} />}
          </button>
          {/* Not an input: keys of the page are off while one is focused. */}
          <button
            type="button"
            role="checkbox"
            className={styles.toggle}
            aria-checked={chosen}
            aria-label={`Choose the session of ${whose}`}
            title="Choose, to see two side by side (x)"
            onClick={(event) => {
              event.stopPropagation();
              onChoose(row);
            }}
          >
            {chosen ? <IconSquareCheck size={16} /> : <IconSquare size={16} />}
          </button>
        </span>
        {columns.map(({ id, number, cell }) => (
          <div role="cell" key={id} data-column={id} className={number ? styles.number : styles.cell}>
            {cell(part, clock)}
          </div>
        ))}
      </div>
      {open && (
        <div role="row" className={styles.look}>
          <div role="cell">
            <QuickLook part={part} />
          </div>
        </div>
      )}
    </>
  );
});
