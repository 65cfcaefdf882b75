import type { ReactNode } from 'react';
import type { Request } from '../api/client';
import { term } from '../filter/text';
import { Pick } from '../shell/Pick';
import { legible } from '../show/legible';
import { Name } from '../show/Name';
import { bytes, count, span, took } from '../show/numbers';
import { Status } from '../show/Statuses';
import type { Line } from './fold';
import { paramTerm } from './params';
import styles from './RequestTable.module.css';

/** More than so many times what 19 of 20 take is told in colour. */
const FAR = 2;

interface Props {
  line: Extract<Line, { kind: 'request' }>;
  index: number;
  time: string;
  shown: boolean;
  onShow(id: string): void;
}

/** A request in the sequence. */
export function RequestRow({ line: { request, since, inner }, index, time, shown, onShow }: Props) {
  const { id, method, host, path, endpoint, status, duration_us, bytes_out, usual, params, mcp, attacks } = request;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the button in it is what keys reach
    <div
      role="row"
      tabIndex={-1}
      aria-rowindex={index + 2}
      className={styles.row}
      data-shown={shown || undefined}
      data-inner={inner || undefined}
      onClick={() => window.getSelection()?.isCollapsed !== false && onShow(id)}
    >
      <span role="cell">
        <button
          type="button"
          data-toggle
          className={styles.time}
          aria-label={`All of the request of ${time}`}
          onClick={(event) => {
            event.stopPropagation();
            onShow(id);
          }}
        >
          {time}
        </button>
      </span>
      <span role="cell" className={`number quiet ${styles.since}`}>
        {since !== null && `+${span(Math.max(0, since))}`}
      </span>
      <span role="cell" className={styles.path}>
        <Pick term={term('endpoint', endpoint)} value={`${host}${path}`}>
          <span className="quiet">{legible(method, 16)}</span> {legible(path, 400)}
          {mcp && <span className={styles.call}> {legible(`${mcp.method} ${mcp.primitive}`, 80)}</span>}
        </Pick>
        {attacks.map(({ type }) => (
          <span key={type} className={styles.attack}>
            {legible(type, 20)}
          </span>
        ))}
      </span>
      <span role="cell" className="number">
        <Status status={status} />
      </span>
      <Beside is={duration_us} usual={usual?.duration_us} told={took} />
      <Beside is={bytes_out} usual={usual?.bytes_out} told={bytes} className={styles.size} />
      <span role="cell" className={styles.params}>
        {params.slice(0, 4).map(({ source, name, kind, value, hashed }) => (
          <span key={`${source} ${name}`} className={styles.param}>
            <span className="quiet">{legible(name, 24)}</span>{' '}
            <Pick term={paramTerm(kind, name, value)} value={value}>
              <Name value={value.slice(0, 60)} hashed={hashed} />
            </Pick>
          </span>
        ))}
        {params.length > 4 && <span className="quiet">+{params.length - 4}</span>}
      </span>
    </div>
  );
}

/** A measure, and what is usual beside it. */
function Beside({
  is,
  usual,
  told,
  className,
}: {
  is: number;
  usual: { p50: number; p95: number } | undefined;
  told(n: number): string;
  className?: string;
}) {
  return (
    <span
      role="cell"
      className={`number ${styles.beside} ${className ?? ''}`}
      title={usual && `usually ${told(usual.p50)}, 19 of 20 within ${told(usual.p95)}`}
    >
      <span className={usual && is > FAR * usual.p95 ? styles.far : undefined}>{told(is)}</span>
      <span className={styles.usual}>{usual ? told(usual.p50) : '–'}</span>
    </span>
  );
}

/** The path of its endpoint, for calls of several paths. */
export const templateOf = ({ endpoint, path }: Request) => endpoint.replace(/^\S+ [^/]*/, '') || path;

/** Equal calls that follow each other, as one line. */
export function RunRow({
  requests,
  first,
  index,
  time,
  open,
  icon,
  label,
  onRun,
}: {
  requests: Request[];
  first: Request;
  index: number;
  time: string;
  open: boolean;
  icon: ReactNode;
  label: string;
  onRun(): void;
}) {
  const last = requests.at(-1) ?? first;
  const sorted = requests.map(({ duration_us }) => duration_us).sort((one, other) => one - other);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const size = requests.reduce((sum, { bytes_out }) => sum + bytes_out, 0);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the button in it is what keys reach
    <div role="row" tabIndex={-1} aria-rowindex={index + 2} className={styles.row} data-run onClick={onRun}>
      <span role="cell">
        <button
          type="button"
          data-toggle
          className={styles.time}
          aria-expanded={open}
          aria-label={`${label} from ${time}`}
          onClick={(event) => {
            event.stopPropagation();
            onRun();
          }}
        >
          {icon}
          {time}
        </button>
      </span>
      <span role="cell" className={`number quiet ${styles.since}`} title="from the first to the last">
        {span(Date.parse(last.ts) - Date.parse(first.ts))}
      </span>
      <span role="cell" className={styles.path}>
        <Pick term={term('endpoint', first.endpoint)} value={first.endpoint}>
          <span className="quiet">{legible(first.method, 16)}</span> {legible(templateOf(first), 300)}
          {first.mcp && (
            <span className={styles.call}> {legible(`${first.mcp.method} ${first.mcp.primitive}`, 80)}</span>
          )}
        </Pick>
        <strong className={styles.times}>×{count(requests.length)}</strong>
      </span>
      <span role="cell" className="number">
        <Status status={first.status} />
      </span>
      <Beside is={middle} usual={first.usual?.duration_us} told={took} />
      <span role="cell" className={`number ${styles.beside} ${styles.size}`} title="all together">
        <span>Σ {bytes(size)}</span>
        <span className={styles.usual} />
      </span>
      <span role="cell" className={styles.params} />
    </div>
  );
}
