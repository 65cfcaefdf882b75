import { memo, type ReactNode, useCallback } from 'react';
import type { Request } from '../api/client';
import { term } from '../filter/text';
import { Pick } from '../shell/Pick';
import { legible } from '../show/legible';
import { Name } from '../show/Name';
import { took } from '../show/numbers';
import { Rows } from '../show/Rows';
import { Status } from '../show/Statuses';
import { useClock } from '../time/zone';
import styles from './Calls.module.css';

interface Props {
  calls: Request[];
  /** The one that is shown in full. */
  shown: string | undefined;
  onShow(id: string): void;
  more: boolean;
  onMore(): void;
  foot?: ReactNode;
  /** They are those of the question before. */
  old: boolean;
  total: number | undefined;
}

/** Calls of AI agents, the last first. */
export function Calls({ calls, shown, onShow, more, onMore, foot, old, total }: Props) {
  const keyOf = useCallback((n: number) => calls[n]?.id ?? String(n), [calls]);
  return (
    <Rows
      label="Calls"
      known={calls.length}
      total={total}
      keyOf={keyOf}
      head={<Head />}
      row={(n) => {
        const call = calls[n];
        return call && <Call call={call} index={n} shown={call.id === shown} onShow={onShow} />;
      }}
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
      <span role="columnheader">Call</span>
      <span role="columnheader">Error</span>
      <span role="columnheader" className={styles.server}>
        Server
      </span>
      <span role="columnheader" className={styles.who}>
        User
      </span>
      <span role="columnheader" className="number">
        Status
      </span>
      <span role="columnheader" className={`number ${styles.took}`}>
        Took
      </span>
    </div>
  );
}

interface CallProps {
  call: Request;
  index: number;
  shown: boolean;
  onShow(id: string): void;
}

const Call = memo(function Call({ call, index, shown, onShow }: CallProps) {
  const clock = useClock();
  const { id, ts, mcp, host, path, params, status, duration_us } = call;
  const named = (kind: string) => params.find((param) => param.kind === kind);
  const [user, role] = [named('user'), named('role')];
  const picked = (field: string, value: string) => <Pick term={term(field, value)} value={value} />;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the button in it is what keys reach
    <div
      role="row"
      tabIndex={-1}
      aria-rowindex={index + 2}
      className={styles.row}
      data-shown={shown || undefined}
      onClick={() => window.getSelection()?.isCollapsed !== false && onShow(id)}
    >
      <span role="cell">
        <button
          type="button"
          data-toggle
          className={styles.time}
          aria-label={`All of the call of ${clock.both(ts)}`}
          onClick={(event) => {
            event.stopPropagation();
            onShow(id);
          }}
        >
          {clock.both(ts)}
        </button>
      </span>
      <span role="cell" className="cut">
        {mcp?.primitive && <strong className={styles.primitive}>{picked('mcp.primitive', mcp.primitive)} </strong>}
        <span className="quiet">{mcp && picked('mcp.method', mcp.method)}</span>
      </span>
      <span role="cell" className={`cut ${styles.error}`}>
        {mcp?.error && picked('mcp.error', mcp.error)}
      </span>
      <span role="cell" className={`cut ${styles.server}`}>
        {picked('mcp.server', `${host}${path}`)}
      </span>
      <span role="cell" className={`cut ${styles.who}`}>
        {user && (
          <Pick term={term('user', user.value)} value={user.value}>
            <Name value={user.value} hashed={user.hashed} />
          </Pick>
        )}
        {role && <span className="quiet"> {legible(role.value, 40)}</span>}
      </span>
      <span role="cell" className="number">
        <Status status={status} />
      </span>
      <span role="cell" className={`number ${styles.took}`}>
        {took(duration_us)}
      </span>
    </div>
  );
});
