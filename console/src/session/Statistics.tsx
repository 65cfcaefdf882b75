import { Loader } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { answer, api } from '../api/client';
import { term } from '../filter/text';
import { Pick } from '../shell/Pick';
import { Endpoint } from '../show/Endpoint';
import { legible } from '../show/legible';
import { count, share } from '../show/numbers';
import { Problem } from '../show/Problem';
import styles from './Statistics.module.css';

/** What is counted, and what it is called. */
export type Counted = readonly (readonly [field: string, title: string])[];

/** What the statistics are about. */
export interface About {
  from?: string;
  to?: string;
  filter?: string;
  noise?: 'show';
}

interface Props {
  id: string;
  about: About;
  counted: Counted;
  /** Values of each. */
  top: number;
  /** Changes when there may be other requests. */
  state: unknown;
}

/** How often each value stands in the requests of a session; a click filters by it. */
export function Statistics({ id, about, counted, top, state }: Props) {
  const { data, error, refetch } = useQuery({
    queryKey: ['session/stats', id, about, top, state],
    queryFn: ({ signal }) =>
      Promise.all(
        counted.map(async ([by, title]) => {
          const query = { ...about, group_by: by, top, metrics: 'requests' };
          const told = await answer(
            api.GET('/sessions/{id}/stats', { params: { path: { id }, query: query as never }, signal }),
          );
          const shown = told.groups.reduce((sum, { requests }) => sum + requests, 0);
          return { by, title, ...told, all: shown + (told.other?.requests ?? 0) };
        }),
      ),
  });
  if (error) return <Problem error={error} onRetry={refetch} />;
  if (!data) return <Loader size="sm" />;
  return data
    .filter(({ groups }) => groups.some(({ group }) => Object.values(group).some((value) => value !== null)))
    .map(({ by, title, groups, group_count, all }) => (
      <section key={by} aria-label={title}>
        <h3 className={styles.title}>{title}</h3>
        {groups.map(({ group, requests }) => {
          const value = group[by] ?? null;
          const asked = by === 'status' && value !== null ? `status=${value}` : term(by, value);
          return (
            <div key={value ?? ''} className={styles.value}>
              <Pick term={asked} value={value ?? ''} className={styles.name}>
                <Value by={by} value={value} />
              </Pick>
              <span className={styles.share}>
                {count(requests)} <span className="quiet">{share(requests, all)}</span>
              </span>
            </div>
          );
        })}
        {group_count > groups.length && <div className="quiet">+{count(group_count - groups.length)} more</div>}
      </section>
    ));
}

function Value({ by, value }: { by: string; value: string | null }) {
  if (value === null) return <i>none</i>;
  return by === 'endpoint' ? <Endpoint text={value} host={false} /> : legible(value, 90);
}
