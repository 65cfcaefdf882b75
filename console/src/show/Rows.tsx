import { useHotkeys } from '@mantine/hooks';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, useEffect, useRef } from 'react';
import styles from './Rows.module.css';

interface Props {
  label: string;
  /** Rows that are known. */
  known: number;
  /** Rows in all, as far as that is known. */
  total: number | undefined;
  /** Names a row. Keep it the same while the rows are: with another one all of them are placed anew. */
  keyOf(n: number): string;
  /** How high a row is that does not show more than usual, in pixels. */
  height?: number;
  head: ReactNode;
  row(n: number): ReactNode;
  /** Whether keys stop at the row: not at what only divides. */
  stops?(n: number): boolean;
  more?: boolean;
  onMore?(): void;
  /** What stands below the last row. */
  foot?: ReactNode;
  /** They are those of the question before, until the others are there. */
  old?: boolean;
  className?: string;
}

/** Pixels that are left below when the next page is asked for. */
const AHEAD = 3000;
/** Pixels of rows that are on the page above and below of what is seen. */
const BEYOND = 400;

/** A table of many rows: only those that are seen are on the page. `j` and `k` go down and up. */
export function Rows({
  label,
  known,
  total,
  keyOf,
  height = 30,
  head,
  row,
  stops,
  more = false,
  onMore,
  foot,
  old = false,
  className,
}: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: known,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    getItemKey: keyOf,
    overscan: Math.ceil(BEYOND / height),
    // Rows are made in a task of their own, not in that in which the frame is laid out and painted, too.
    useFlushSync: false,
  });
  const rows = virtual.getVirtualItems();
  const last = rows.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && last >= known - AHEAD / height) onMore?.();
  }, [more, last, known, height, onMore]);
  // Where the focus was last in a row: it may be in a panel that was opened from it.
  const been = useRef<{ at: number; key: string } | null>(null);
  const remember = (focused: Element) => {
    const row = focused.closest<HTMLElement>('[data-index]');
    if (row) been.current = { at: Number(row.dataset.index), key: keyOf(Number(row.dataset.index)) };
  };
  const remembered = () => {
    const { at, key } = been.current ?? { at: known, key: '' };
    return at < known && keyOf(at) === key ? at : null;
  };
  const move = (by: 1 | -1) => {
    const focused = document.activeElement?.closest<HTMLElement>('[data-index]');
    const was = focused ? Number(focused.dataset.index) : remembered();
    let at = was === null ? 0 : was + by;
    while (at >= 0 && at < known && stops?.(at) === false) at += by;
    if (at < 0 || at >= known) return;
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
    <div
      className={`${styles.scroller} ${className ?? ''}`}
      ref={scroller}
      onFocus={({ target }) => remember(target)}
      role="table"
      aria-label={label}
      aria-rowcount={total ?? -1}
      aria-busy={old}
    >
      <div role="rowgroup" className={styles.head}>
        {head}
      </div>
      <div
        role="rowgroup"
        className={styles.body}
        data-old={old || undefined}
        style={{ height: virtual.getTotalSize() }}
      >
        {rows.map(({ index, key, start }) => (
          <div
            key={key}
            ref={virtual.measureElement}
            data-index={index}
            className={styles.place}
            style={{ transform: `translateY(${start}px)` }}
            role="presentation"
          >
            {row(index)}
          </div>
        ))}
      </div>
      {foot}
    </div>
  );
}
