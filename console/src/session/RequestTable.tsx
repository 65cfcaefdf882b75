import { IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import { memo, type ReactNode, useCallback, useMemo, useState } from 'react';
import type { Request, ToldPart } from '../api/client';
import { term } from '../filter/text';
import { Pick } from '../shell/Pick';
import { legible } from '../show/legible';
import { count, span } from '../show/numbers';
import { Rows } from '../show/Rows';
import { useClock } from '../time/zone';
import { type Change, Folding, type Line, unfolded } from './fold';
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
  foot?: ReactNode;
  /** They are those of the question before. */
  old: boolean;
  total: number | undefined;
}

/** The sequence, equal calls folded. */
export function RequestTable({ requests, parts, folding, shown, onShow, more, onMore, foot, old, total }: Props) {
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const fold = useMemo(() => new Folding(parts, folding), [parts, folding]);
  const folded = useMemo(() => fold.linesOf(requests), [fold, requests]);
  const lines = useMemo(() => unfolded(folded, open), [folded, open]);
  const keyOf = useCallback((n: number) => lines[n]?.key ?? String(n), [lines]);
  const onRun = useCallback((run: string) => {
    setOpen((was) => {
      const now = new Set(was);
      if (!now.delete(run)) now.add(run);
      return now;
    });
  }, []);
  return (
    <Rows
      label="Requests"
      known={lines.length}
      total={total}
      keyOf={keyOf}
      head={<Head />}
      row={(n) => {
        const line = lines[n];
        const chosen = line?.kind === 'request' && line.request.id === shown;
        return line && <Shown line={line} index={n} shown={chosen} onShow={onShow} onRun={onRun} />;
      }}
      stops={(n) => lines[n]?.kind === 'request' || lines[n]?.kind === 'run'}
      more={more}
      onMore={onMore}
      foot={foot}
      old={old}
    />
  );
}

function Head() {
  return (
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
  );
}

interface ShownProps {
  line: Line;
  index: number;
  shown: boolean;
  onShow(id: string): void;
  onRun(run: string): void;
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
        onRun={() => onRun(line.key)}
      />
    );
  }
  return <RequestRow line={line} index={index} time={clock.exact(line.request.ts)} shown={shown} onShow={onShow} />;
});

function Mark({ index, className, children }: { index: number; className?: string; children: ReactNode }) {
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
