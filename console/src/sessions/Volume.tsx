import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { Plot } from '../chart/Plot';
import { stacked, statusBars } from '../chart/statuses';
import { counted } from '../show/numbers';
import { type Asked, volumeQuestion } from './questions';

interface Props {
  asked: Asked;
  /** A part of the time was chosen. */
  onWindow(from: number, to: number): void;
}

/** Requests over the time of the window, failures on top of each other. One drags over it to look closer. */
export function Volume({ asked, onWindow }: Props) {
  const { data } = useQuery(volumeQuestion(asked));
  const columns = useMemo(() => data && stacked(data.from, data.to, data.ms, data.series), [data]);
  const failed = data?.series.reduce((sum, step) => sum + (step.errors ?? 0), 0) ?? 0;
  const told = data
    ? `${counted(data.requests, 'request')}, ${counted(failed, 'answer')} with 5xx, in steps of time`
    : 'Requests over time';
  return <Plot label={told} height={74} columns={columns} options={statusBars} onWindow={onWindow} />;
}
