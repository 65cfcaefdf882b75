import { useHotkeys } from '@mantine/hooks';
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type CSSProperties, memo, useCallback, useEffect, useRef } from 'react';
import type { Part } from '../api/client';
import { legible } from '../show/legible';
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
  /** Whether there are more, and how to have them. */
  more: boolean;
  onMore(): void;
  /** Sessions in all, as far as that is known. */
  total: number | undefined;
}

const ROW = 50;
/** Rows that are left below when the next page is asked for. */
const AHEAD = 60;

/** The list of sessions: only the rows that are seen are on the page. */
export function SessionList({ sessions, columns, open, onOpen, more, onMore, total }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const grid = `24px ${columns.map(({ width }) => width).join(' ')}`;
  const virtual = useVirtualizer({
    count: sessions.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    getItemKey: (n) => (sessions[n] ? rowOf(sessions[n]) : n),
    overscan: 8,
  });
  const rows = virtual.getVirtualItems();
  const last = rows.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && last >= sessions.length - AHEAD) onMore();
  }, [more, last, sessions.length, onMore]);

  const toggle = useCallback((row: string) => onOpen(row === open ? undefined : row), [onOpen, open]);
  const move = (by: number) => {
    const focused = document.activeElement?.closest<HTMLElement>('[data-index]');
    const at = Math.min(sessions.length - 1, Math.max(0, focused ? Number(focused.dataset.index) + by : 0));
    virtual.scrollToIndex(at, { align: 'auto' });
    requestAnimationFrame(() =>
      scroller.current
        ?.querySelector<HTMLElement>(`[data-index="${at}"] [data-toggle]`)
        ?.focus({ preventScroll: true }),
    );
  };
  useHotkeys([
    ['j', () => move(1)],
    ['k', () => move(-1)],
  ]);

  return (
    <div className={styles.scroller} ref={scroller} role="table" aria-label="Sessions" aria-rowcount={total ?? -1}>
      <div className={styles.inner}>
        <div role="rowgroup" className={styles.head}>
          <div role="row" className={styles.columns} style={{ '--columns': grid } as CSSProperties}>
            <span role="columnheader" aria-label="Look into" />
            {columns.map(({ id, title, number }) => (
              <span key={id} role="columnheader" className={number ? styles.number : undefined}>
                {title}
              </span>
            ))}
          </div>
        </div>
        <div role="rowgroup" className={styles.body} style={{ height: virtual.getTotalSize() }}>
          {rows.map(({ index, key, start }) => {
            const part = sessions[index];
            if (!part) return null;
            const row = rowOf(part);
            return (
              <div
                key={key}
                ref={virtual.measureElement}
                data-index={index}
                className={styles.place}
                style={{ transform: `translateY(${start}px)` }}
                role="presentation"
              >
                <Row part={part} index={index} columns={columns} grid={grid} open={row === open} onToggle={toggle} />
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

interface RowProps {
  part: Part;
  index: number;
  columns: Column[];
  grid: string;
  open: boolean;
  onToggle(row: string): void;
}

const Row = memo(function Row({ part, index, columns, grid, open, onToggle }: RowProps) {
  const clock = useClock();
  const row = rowOf(part);
  const shape = part.user?.value ?? part.ips[0] ?? part.id.slice(0, 8);
  return (
    <>
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the button in it is what keys reach */}
      <div
        role="row"
        tabIndex={-1}
        aria-rowindex={index + 2}
        className={styles.row}
        data-open={open || undefined}
        style={{ '--columns': grid } as CSSProperties}
        onClick={() => window.getSelection()?.isCollapsed !== false && onToggle(row)}
      >
        <span role="cell">
          <button
            type="button"
            data-toggle
            className={styles.toggle}
            aria-expanded={open}
            aria-label={`Look into the session of ${legible(shape, 60)}`}
            onClick={(event) => {
              event.stopPropagation();
              onToggle(row);
            }}
          >
            {open ? <IconChevronDown size={15} /> : <IconChevronRight size={15} />}
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
