import { Checkbox, Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback, useMemo } from 'react';
import { address, type Request } from '../api/client';
import { AskPage } from '../filter/AskPage';
import { and, joined, split, term } from '../filter/text';
import type { McpSearch } from '../router';
import { RequestPanel } from '../session/RequestPanel';
import { useLive } from '../sessions/useLive';
import { Pick } from '../shell/Pick';
import { Card } from '../show/Card';
import { Csv } from '../show/Csv';
import { legible } from '../show/legible';
import { count, counted } from '../show/numbers';
import { Trouble } from '../show/Trouble';
import { usePages } from '../show/usePages';
import { TopList } from '../stats/TopList';
import { asked } from '../time/window';
import { Calls } from './Calls';
import styles from './McpPage.module.css';
import { callsQuestion, countQuestion, errorsQuestion, ofCalls, ofFilter } from './questions';

const TOPS = [
  ['mcp.server', 'Servers', 'None.'],
  ['mcp.method', 'Methods', 'None.'],
  ['mcp.primitive', 'Tools, prompts, resources', 'No call names one.'],
  ['user', 'Users', 'No call names a user.'],
  ['role', 'Roles', 'No call names a role.'],
] as const;

const FAILED = 'mcp.error:*';

const callsOf = ({ requests }: { requests: Request[] }) => requests;

/** What AI agents call. All of its state stands in the address. */
export function McpPage() {
  const search = useSearch({ from: '/mcp' });
  const navigate = useNavigate({ from: '/mcp' });
  const change = useCallback(
    (to: Partial<McpSearch>, replace = false) => navigate({ search: (now) => ({ ...now, ...to }), replace }),
    [navigate],
  );
  const question = useMemo(() => ofCalls(search), [search]);
  const list = usePages(callsQuestion(question), callsOf);
  const calls = list.rows;
  const counts = useQuery(countQuestion(question));
  const live = useLive(search.live === '1', question, ['calls', 'calls/count', 'calls/errors', 'top']);
  const error = ofFilter(list.error, search.filter);
  const onShow = useCallback((request: string | undefined) => change({ request }, true), [change]);
  const move = (by: number) => {
    const at = calls.findIndex(({ id }) => id === search.request);
    const next = at < 0 ? undefined : calls[at + by]?.id;
    if (next) onShow(next);
  };
  const { terms } = split(search.filter ?? '');
  return (
    <AskPage
      title="AI agents"
      asked={search}
      on={{ error, isFetching: list.busy, refetch: list.refetch }}
      live={live}
      onAsk={change}
      beside={
        <>
          <Checkbox
            size="xs"
            label="Only errors"
            checked={terms.includes(FAILED)}
            onChange={(event) =>
              change({
                filter: event.currentTarget.checked
                  ? and(search.filter, FAILED)
                  : joined({ terms: terms.filter((one) => one !== FAILED), join: 'AND' }) || undefined,
              })
            }
          />
          <span role="status" className={styles.told}>
            {counts.data && !error && <strong>{counted(counts.data.count, 'call')}</strong>}
          </span>
          <Csv
            what="All of the calls"
            href={address('/requests.csv', {
              ...asked(search),
              filter: question.filter,
              noise: search.noise === 'show' ? 'show' : undefined,
            })}
          />
        </>
      }
    >
      {!list.known && <Skeleton height={300} width="auto" m="md" role="status" aria-label="Loading" />}
      {list.stale && <Trouble what="Not what is there now." error={list.stale} onRetry={list.refetch} />}
      {list.known && calls.length === 0 && <Nothing filtered={Boolean(search.filter)} />}
      {calls.length > 0 && (
        <div className={styles.columns}>
          <div className={styles.side}>
            {TOPS.slice(0, 3).map(([by, title, none]) => (
              <TopList key={by} asked={question} by={by} title={title} none={none} />
            ))}
            <Errors asked={search} />
            {TOPS.slice(3).map(([by, title, none]) => (
              <TopList key={by} asked={question} by={by} title={title} none={none} />
            ))}
          </div>
          <div className={styles.sequence}>
            <Calls
              calls={calls}
              shown={search.request}
              onShow={onShow}
              more={list.more}
              onMore={list.onMore}
              foot={list.rest && <Trouble what="The rest is missing." error={list.rest} onRetry={list.onMore} />}
              old={list.old}
              total={counts.data && counts.data.count + 1}
            />
          </div>
        </div>
      )}
      {search.request && <RequestPanel id={search.request} onClose={() => onShow(undefined)} onMove={move} />}
    </AskPage>
  );
}

/** The commonest errors that calls were answered with. */
function Errors({ asked }: { asked: McpSearch }) {
  const { data } = useQuery(errorsQuestion(asked));
  return (
    <Card title="Errors" beside={<span className="quiet">of this time</span>}>
      {data && !data.length && <p className="quiet">Every call worked.</p>}
      {data?.slice(0, 8).map(({ value, requests }) => (
        <div key={value} className={styles.error}>
          <Pick term={term('mcp.error', value)} value={value}>
            {legible(value, 120)}
          </Pick>
          <span>{count(requests)}</span>
        </div>
      ))}
    </Card>
  );
}

function Nothing({ filtered }: { filtered: boolean }) {
  return (
    <div className={styles.nothing}>
      <h2>No call of an AI agent {filtered ? 'fits the filter' : 'in this time'}</h2>
      <p className="quiet">
        Requests with a header Mcp-… are read as calls of the Model Context Protocol where sessions are on; what they
        were called with is told with <code>wallarm_session_mcp arguments</code>.
      </p>
    </div>
  );
}
