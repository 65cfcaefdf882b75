import { ActionIcon, Tooltip } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { IconArrowsMaximize, IconChevronLeft, IconChevronRight, IconZoomIn, IconZoomOut } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useCallback, useMemo, useRef } from 'react';
import type uPlot from 'uplot';
import type { Request } from '../api/client';
import { Plot } from '../chart/Plot';
import { stacked, statusBars } from '../chart/statuses';
import { counted, shortCount, span } from '../show/numbers';
import { useClock } from '../time/zone';
import { requestDots } from './dots';
import { type Asked, about, type Between, stepsQuestion } from './questions';
import styles from './Timeline.module.css';
import type { Whole } from './whole';

/** Visits that have room for a button. */
const VISITS = 6;

interface Props {
  id: string;
  asked: Asked;
  shown: Whole;
  /** The time that is looked at. */
  between: Between;
  /** All requests of that time, or none where they are too many to be drawn one by one. */
  requests: Request[] | undefined;
  many: boolean;
  onWindow(window: Between | null): void;
  onRequest(id: string): void;
}

const HEIGHT = 118;

/** The session along its time: each request by how long it took, or bars where they are many. */
export function Timeline({ id, asked, shown, between, requests, many, onWindow, onRequest }: Props) {
  const steps = useQuery({ ...stepsQuestion(id, about(asked), between), enabled: many });
  const told = useRef<HTMLSpanElement>(null);
  const onTold = useCallback((text: string) => {
    if (told.current) told.current.textContent = text;
  }, []);
  const acts = useRef({ onWindow, onRequest });
  acts.current = { onWindow, onRequest };
  const dots = useMemo(
    () =>
      requests &&
      requestDots(requests, shown.parts, between, {
        onTold,
        onRequest: (id) => acts.current.onRequest(id),
        onWindow: (window) => acts.current.onWindow(window),
      }),
    [requests, shown.parts, between, onTold],
  );
  const bars = useMemo((): uPlot.AlignedData | undefined => {
    const { from, to, ms, series } = steps.data ?? {};
    return from && to && ms && series ? stacked(from, to, ms, series) : undefined;
  }, [steps.data]);
  const length = between.to - between.from;
  const zoom = (by: number) => {
    const middle = (between.from + between.to) / 2;
    onWindow({ from: middle - (length * by) / 2, to: middle + (length * by) / 2 });
  };
  const move = (by: number) => onWindow({ from: between.from + length * by, to: between.to + length * by });
  useHotkeys([
    ['z', () => zoom(0.5)],
    ['shift+Z', () => zoom(2)],
    ['0', () => onWindow(null)],
    [',', () => move(-0.5)],
    ['.', () => move(0.5)],
  ]);
  const acting: [string, string, typeof IconZoomIn, () => void][] = [
    ['Earlier', ',', IconChevronLeft, () => move(-0.5)],
    ['Later', '.', IconChevronRight, () => move(0.5)],
    ['Closer', 'z', IconZoomIn, () => zoom(0.5)],
    ['Farther', 'Shift Z', IconZoomOut, () => zoom(2)],
    ['All of it', '0', IconArrowsMaximize, () => onWindow(null)],
  ];
  return (
    <section className={styles.timeline} aria-label="Timeline">
      <div className={styles.bar}>
        <span ref={told} className={`quiet cut ${styles.told}`}>
          {dots ? 'Each dot a request, the longer it took the higher' : 'Requests over time'}
        </span>
        <Visits shown={shown} onWindow={onWindow} />
        {acting.map(([title, key, Icon, act]) => (
          <Tooltip key={title} label={`${title} (${key})`}>
            <ActionIcon variant="subtle" color="gray" c="dimmed" size={24} aria-label={title} onClick={act}>
              <Icon size={16} />
            </ActionIcon>
          </Tooltip>
        ))}
      </div>
      <Plot
        label={`${counted(requests?.length ?? shown.requests, 'request')} over time`}
        height={HEIGHT}
        columns={dots?.columns ?? bars}
        options={dots?.options ?? statusBars}
        onWindow={(from, to) => onWindow({ from, to })}
      />
    </section>
  );
}

/** The visits of it, each to be looked at alone. */
function Visits({ shown, onWindow }: { shown: Whole; onWindow(window: Between): void }) {
  const clock = useClock();
  const visits = shown.parts.flatMap(({ visits }) => visits).sort((a, b) => a.first_seen.localeCompare(b.first_seen));
  if (visits.length < 2) return null;
  return (
    <span className={styles.visits}>
      <span className="quiet">Visits</span>
      {visits.slice(0, VISITS).map(({ first_seen, last_seen, requests }) => (
        <button
          key={first_seen}
          type="button"
          className={styles.visit}
          title={`Only this visit: ${counted(requests, 'request')} in ${span(Date.parse(last_seen) - Date.parse(first_seen))}`}
          onClick={() => onWindow({ from: Date.parse(first_seen), to: Date.parse(last_seen) + 1 })}
        >
          {clock.time(first_seen).slice(0, -3)} <span className="quiet">{shortCount(requests)}</span>
        </button>
      ))}
      {visits.length > VISITS && <span className="quiet">+{visits.length - VISITS}</span>}
    </span>
  );
}
