import { useHotkeys } from '@mantine/hooks';
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { Request, ToldPart } from '../api/client';
import { term } from '../filter/text';
import { Pick } from '../shell/Pick';
import { legible } from '../show/legible';
import { count, span } from '../show/numbers';
import { useClock } from '../time/zone';
import { type Change, fold, type Line } from './fold';
import { RequestRow, RunRow } from './RequestRow';
import styles from './RequestTable.module.css';

interface Props {
  requests: Request[];
  parts: ToldPart[];
  folding: boolean;
  /** The request that is shown in full. */
  shown: string | undefined;
  onShow(id: string): void;
  more: boolean;
  onMore(): void;
  total: number | undefined;
}

const ROW = 30;
/** Lines that are left below when the next page is asked for. */
const AHEAD = 100;

/** The sequence, equal calls folded: only the lines that are seen are on the page. */
export function RequestTable({ requests, parts, folding, shown, onShow, more, onMore, total }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const lines = useMemo(() => fold(requests, parts, open, folding), [requests, parts, open, folding]);
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    getItemKey: (n) => lines[n]?.key ?? n,
    overscan: 12,
  });
  const rows = virtual.getVirtualItems();
  const last = rows.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && last >= lines.length - AHEAD) onMore();
  }, [more, last, lines.length, onMore]);
  const onRun = useCallback((first: string) => {
    setOpen((was) => {
      const now = new Set(was);
      if (!now.delete(first)) now.add(first);
      return now;
    });
  }, []);
  const move = (by: number) => {
    const focused = document.activeElement?.closest<HTMLElement>('[data-index]');
    let at = focused ? Number(focused.dataset.index) + by : 0;
    while (lines[at] && lines[at]?.kind !== 'request' && lines[at]?.kind !== 'run') at += by < 0 ? -1 : 1;
    if (!lines[at]) return;
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
    <div className={styles.scroller} ref={scroller} role="table" aria-label="Requests" aria-rowcount={total ?? -1}>
      <div role="rowgroup" className={styles.head}>
        <div role="row" className={styles.columns}>
          <span role="columnheader">Time</span>
          <span role="columnheader" className={`number ${styles.since}`}>
            After
          </span>
          <span role="columnheader">Request</span>
          <span role="columnheader" className="number">
            Status
          </span>
          <span role="columnheader" className={`number ${styles.beside}`}>
            Took <span>usually</span>
          </span>
          <span role="columnheader" className={`number ${styles.beside} ${styles.size}`}>
            Size <span>usually</span>
          </span>
          <span role="columnheader" className={styles.params}>
            Parameters
          </span>
        </div>
      </div>
      <div role="rowgroup" className={styles.body} style={{ height: virtual.getTotalSize() }}>
        {rows.map(({ index, key, start }) => {
          const line = lines[index];
          if (!line) return null;
          return (
            <div
              key={key}
              ref={virtual.measureElement}
              data-index={index}
              className={styles.place}
              style={{ transform: `translateY(${start}px)` }}
              role="presentation"
            >
              <Shown
                line={line}
                index={index}
                shown={line.kind === 'request' && line.request.id === shown}
                onShow={onShow}
                onRun={onRun}
              />
            </div>
          );
        })}
      </div>
    </div>
  );
}

interface ShownProps {
  line: Line;
  index: number;
  shown: boolean;
  onShow(id: string): void;
  onRun(first: string): void;
}

const Shown = memo(function Shown({ line, index, shown, onShow, onRun }: ShownProps) {
  const clock = useClock();
  if (line.kind === 'visit') {
    return (
      <Mark index={index} className={styles.visit}>
        Next visit, after a pause of {span(line.idle)}
      </Mark>
    );
  }
  if (line.kind === 'changed') {
    return (
      <Mark index={index} className={styles.changed}>
        {line.changes.map((change) => (
          <Changed key={change.field} change={change} />
        ))}
      </Mark>
    );
  }
  if (line.kind === 'run') {
    const first = line.requests[0];
    if (!first) return null;
    return (
      <RunRow
        requests={line.requests}
        first={first}
        index={index}
        time={clock.exact(first.ts)}
        open={line.open}
        icon={line.open ? <IconChevronDown size={14} /> : <IconChevronRight size={14} />}
        label={`${count(line.requests.length)} equal calls`}
        onRun={onRun}
      />
    );
  }
  return <RequestRow line={line} index={index} time={clock.exact(line.request.ts)} shown={shown} onShow={onShow} />;
});

function Mark({ index, className, children }: { index: number; className?: string; children: React.ReactNode }) {
  return (
    <div role="row" aria-rowindex={index + 2} className={`${styles.mark} ${className ?? ''}`}>
      <div role="cell" className="cut">
        {children}
      </div>
    </div>
  );
}

function Changed({ change: { what, field, was, is } }: { change: Change }) {
  const value = (value: string | null) =>
    value === null ? (
      <i>none</i>
    ) : (
      <Pick term={term(field, value)} value={value}>
        {legible(value, 80)}
      </Pick>
    );
  return (
    <span className={styles.change}>
      <strong>Other {what}</strong> {value(is)} <span className="quiet">before: {value(was)}</span>
    </span>
  );
}
