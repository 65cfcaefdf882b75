import { useQuery } from '@tanstack/react-query';
import { useCallback, useMemo } from 'react';
import type uPlot from 'uplot';
import type { Stated } from '../api/client';
import { bars, countAxis, type Look, Plot, timeAxis } from '../chart/Plot';
import { stacked, statusBars } from '../chart/statuses';
import type { Question } from '../filter/AskBar';
import { bytes, count, share, shortCount } from '../show/numbers';
import { beforeQuestion, figuresQuestion } from '../stats/questions';
import styles from './Figures.module.css';

export const METRICS: Stated[] = ['sessions', 'users', 'errors', 'client_errors', 'bytes_out'];

type Named = 'requests' | 'sessions' | 'users' | 'errors' | 'bytes_out';

const FIGURES: { name: Named; title: string; fill: string; told(n: number): string; short(n: number): string }[] = [
  { name: 'requests', title: 'Requests', fill: '', told: count, short: shortCount },
  { name: 'errors', title: 'Failed (5xx)', fill: '--failed-fill', told: count, short: shortCount },
  { name: 'sessions', title: 'Sessions', fill: '--volume', told: count, short: shortCount },
  { name: 'users', title: 'Users', fill: '--volume', told: count, short: shortCount },
  { name: 'bytes_out', title: 'Sent', fill: '--volume', told: bytes, short: bytes },
];

const HEIGHT = 80;

interface Props {
  asked: Question;
  onWindow(from: number, to: number): void;
}

/** How much there was: in all, against the time just before, and in steps of time. */
export function Figures({ asked, onWindow }: Props) {
  const { data } = useQuery(figuresQuestion(asked, METRICS));
  const before = useQuery(beforeQuestion(asked, METRICS));
  return (
    <div className={styles.figures}>
      {FIGURES.map(({ name, title, fill, told, short }) => (
        <section key={name} className={styles.figure} aria-label={title}>
          <h2 className={styles.title}>{title}</h2>
          <div className={styles.number}>
            <strong data-failed={(name === 'errors' && Boolean(data?.all?.errors)) || undefined}>
              {data ? told(data.all?.[name] ?? 0) : '…'}
            </strong>
            {name === 'errors' && data?.all && (
              <span className="quiet">{share(data.all.errors ?? 0, data.all.requests)}</span>
            )}
            <Against is={data?.all?.[name] ?? 0} was={before.data?.[name] ?? undefined} />
          </div>
          <Drawing data={data} name={name} fill={fill} title={title} short={short} onWindow={onWindow} />
        </section>
      ))}
    </div>
  );
}

/** How it was in the time just before. */
function Against({ is, was }: { is: number; was: number | undefined }) {
  if (was === undefined) return null;
  if (!was) return is ? <span className="quiet">none before</span> : null;
  const percent = Math.round((100 * (is - was)) / was);
  const told = percent === 0 ? 'as before' : `${percent > 0 ? '+' : '−'}${count(Math.abs(percent))} %`;
  return (
    <span className="quiet" title="against the time just before, as long">
      {told}
    </span>
  );
}

interface DrawingProps {
  data:
    | {
        from: number;
        to: number;
        ms: number;
        all?: { series?: ({ from: string; requests: number } & Partial<Record<Named, number | null>>)[] | null };
      }
    | undefined;
  name: Named;
  fill: string;
  title: string;
  short(n: number): string;
  onWindow: Props['onWindow'];
}

function Drawing({ data, name, fill, title, short, onWindow }: DrawingProps) {
  const columns = useMemo((): uPlot.AlignedData | undefined => {
    if (!data) return undefined;
    const series = data.all?.series ?? [];
    if (name === 'requests') return stacked(data.from, data.to, data.ms, series);
    const known = new Map(series.map((step) => [Date.parse(step.from), step[name] ?? 0]));
    const times: number[] = [];
    for (let at = Math.floor(data.from / data.ms) * data.ms; at <= data.to; at += data.ms) times.push(at);
    return [times.map((at) => at / 1000), times.map((at) => known.get(at) ?? 0)];
  }, [data, name]);
  const options = useCallback(
    (look: Look): Partial<uPlot.Options> =>
      name === 'requests'
        ? statusBars(look)
        : { series: [{}, bars(look, title, fill)], axes: [timeAxis(look), countAxis(look, short)] },
    [name, title, fill, short],
  );
  return <Plot label={`${title} over time`} height={HEIGHT} columns={columns} options={options} onWindow={onWindow} />;
}
