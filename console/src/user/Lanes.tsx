import type { ReactNode } from 'react';
import { type Clock, useClock } from '../time/zone';
import styles from './Lanes.module.css';

/** Something that was there for a time. */
export interface Stay {
  from: number;
  to: number;
  title: string;
  /** From 0 to 1: how much of the most. */
  weight: number;
}

export interface Lane {
  key: string;
  label: ReactNode;
  stays: Stay[];
  /** What stands at its end. */
  told: ReactNode;
}

interface Props {
  title: string;
  lanes: Lane[];
  from: number;
  to: number;
  more: number;
}

/** Who or what was there when: a lane for each, all along the same time. */
export function Lanes({ title, lanes, from, to, more }: Props) {
  const clock = useClock();
  const place = (at: number) => Math.min(100, Math.max(0, (100 * (at - from)) / (to - from)));
  return (
    <section className={styles.lanes} aria-label={title}>
      <div className={styles.lane}>
        <h2 className={styles.title}>{title}</h2>
        <div className={styles.times} aria-hidden="true">
          {ticks(clock, from, to).map(({ at, text }) => (
            <span key={at} style={{ left: `min(${place(at)}%, 100% - ${text.length + 1}ch)` }}>
              {text}
            </span>
          ))}
        </div>
      </div>
      {lanes.map(({ key, label, stays, told }) => (
        <div key={key} className={styles.lane}>
          <div className={styles.label}>{label}</div>
          <div
            className={styles.track}
            role="img"
            aria-label={stays.length ? `${clock.both(first(stays))} – ${clock.both(last(stays))}` : 'never'}
          >
            {ticks(clock, from, to).map(({ at }) => (
              <i key={at} className={styles.tick} style={{ left: `${place(at)}%` }} />
            ))}
            {stays.map(({ from, to, title, weight }) => (
              <span
                key={from}
                className={styles.stay}
                title={title}
                style={{
                  left: `${place(from)}%`,
                  width: `${place(to) - place(from)}%`,
                  opacity: 0.45 + 0.55 * Math.sqrt(weight),
                }}
              />
            ))}
          </div>
          <div className={styles.told}>{told}</div>
        </div>
      ))}
      {more > 0 && <div className="quiet">+{more} more</div>}
    </section>
  );
}

const first = (stays: Stay[]) => Math.min(...stays.map(({ from }) => from));
const last = (stays: Stay[]) => Math.max(...stays.map(({ to }) => to));

const QUARTER = 900_000;
const LONG = 36 * 3_600_000;

/** Where a day of the zone begins, or of a short time each third hour. */
function ticks(clock: Clock, from: number, to: number): { at: number; text: string }[] {
  const found = [];
  for (let at = Math.ceil(from / QUARTER) * QUARTER; at < to; at += QUARTER) {
    const [hour, minute] = clock.time(at).split(':').map(Number);
    if (minute !== 0 || hour === undefined) continue;
    if (hour === 0) found.push({ at, text: clock.date(at) });
    else if (to - from <= LONG && hour % 3 === 0) found.push({ at, text: clock.time(at).slice(0, -3) });
  }
  return found;
}
