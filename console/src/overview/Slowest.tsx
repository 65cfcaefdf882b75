import { SegmentedControl, Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { answer, api } from '../api/client';
import type { Question } from '../filter/AskBar';
import { term } from '../filter/text';
import { Pick } from '../shell/Pick';
import { Card } from '../show/Card';
import { Endpoint } from '../show/Endpoint';
import { count, took } from '../show/numbers';
import { Problem } from '../show/Problem';
import { Table } from '../show/Table';
import { topQuestion } from '../stats/questions';
import { resolved } from '../time/window';
import styles from './Slowest.module.css';

const SHOWN = 12;
/** Fewer say nothing of how long an endpoint takes. */
const ENOUGH = 20;

interface Usual {
  p50: number;
  p95: number;
}

interface Props {
  asked: Question;
  /** Whether those that take longest stand first, and not those that became slower. */
  longest: boolean;
  onLongest(longest: boolean): void;
}

/** Endpoints by how long they take, beside what they took on the days before. */
export function Slowest({ asked, longest, onLongest }: Props) {
  const now = useQuery(topQuestion(asked, 'endpoint', 100, ['duration_us']));
  const day = new Date(resolved(asked).from).toISOString().slice(0, 10);
  const usual = useQuery({
    queryKey: ['usual', day],
    queryFn: async ({ signal }) => {
      const told = await answer(api.GET('/endpoints', { params: { query: { page_size: 1000 } }, signal }));
      return new Map(
        told.endpoints.flatMap(({ endpoint, days }) => {
          const before = days
            .filter((one) => one.day < day && one.duration_us)
            .map(({ duration_us }) => duration_us as Usual);
          return before.length ? [[endpoint, middle(before)] as const] : [];
        }),
      );
    },
    staleTime: 300_000,
  });
  const rows = useMemo(() => {
    const all = (now.data?.groups ?? []).flatMap(({ group, requests, duration_us }) => {
      if (!group.endpoint || !duration_us || requests < ENOUGH) return [];
      const before = usual.data?.get(group.endpoint);
      return [
        { endpoint: group.endpoint, requests, is: duration_us, before, times: before && duration_us.p95 / before.p95 },
      ];
    });
    return all
      .sort((one, other) =>
        longest ? other.is.p95 - one.is.p95 : (other.times ?? 0) - (one.times ?? 0) || other.is.p95 - one.is.p95,
      )
      .slice(0, SHOWN);
  }, [now.data, usual.data, longest]);
  const error = now.error ?? usual.error;
  return (
    <Card
      title="Slow endpoints"
      beside={
        <SegmentedControl
          size="xs"
          aria-label="Order"
          data={[
            { value: 'slower', label: 'Slower than before' },
            { value: 'longest', label: 'Longest' },
          ]}
          value={longest ? 'longest' : 'slower'}
          onChange={(value) => onLongest(value === 'longest')}
        />
      }
    >
      {error && <Problem error={error} onRetry={() => (now.error ? now.refetch() : usual.refetch())} />}
      {!now.data && !error && <Skeleton height={200} />}
      {now.data && !rows.length && <p className="quiet">No endpoint was asked for {ENOUGH} times.</p>}
      {rows.length > 0 && (
        <Table
          label="Endpoints by their time"
          columns={['Endpoint', '#Requests', '#Half within', '#19 of 20 within', '#on days before', '#Times']}
        >
          {rows.map(({ endpoint, requests, is, before, times }) => (
            <tr key={endpoint}>
              <th scope="row">
                <Pick term={term('endpoint', endpoint)} value={endpoint}>
                  <Endpoint text={endpoint} host />
                </Pick>
              </th>
              <td className="number">{count(requests)}</td>
              <td className="number">{took(is.p50)}</td>
              <td className="number">{took(is.p95)}</td>
              <td className="number">{before ? took(before.p95) : '–'}</td>
              <td className="number">
                {times !== undefined && (
                  <span className={times >= 1.5 ? styles.slower : undefined}>{times.toFixed(1)}×</span>
                )}
              </td>
            </tr>
          ))}
        </Table>
      )}
      {rows.length > 0 && rows.every(({ before }) => !before) && (
        <p className="quiet">No day before this time is kept: choose a shorter time to compare.</p>
      )}
    </Card>
  );
}

/** The middle of days, so that a single bad one is not the rule. */
function middle(days: Usual[]): Usual {
  const of = (pick: (one: Usual) => number) =>
    days.map(pick).sort((one, other) => one - other)[Math.floor(days.length / 2)] ?? 1;
  return {
    p50: of(({ p50 }) => p50),
    p95: Math.max(
      1,
      of(({ p95 }) => p95),
    ),
  };
}
