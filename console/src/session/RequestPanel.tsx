import { ActionIcon, CloseButton, Loader } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { IconChevronDown, IconChevronUp } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useEffect, useRef } from 'react';
import type { Request } from '../api/client';
import { term } from '../filter/text';
import { Go } from '../shell/Go';
import { Pick } from '../shell/Pick';
import { legible } from '../show/legible';
import { bytes, took } from '../show/numbers';
import { Problem } from '../show/Problem';
import { Status } from '../show/Statuses';
import { useClock } from '../time/zone';
import { Notes } from './Notes';
import { paramTerm } from './params';
import { requestQuestion } from './questions';
import styles from './RequestPanel.module.css';

interface Props {
  id: string;
  onClose(): void;
  /** To the request before or after, if there is one. */
  onMove(by: 1 | -1): void;
}

/** All that is known of a request, at the side. */
export function RequestPanel({ id, onClose, onMove }: Props) {
  const { data, error, refetch } = useQuery(requestQuestion(id));
  const panel = useRef<HTMLElement>(null);
  useEffect(() => panel.current?.focus({ preventScroll: true }), []);
  useHotkeys([
    ['Escape', onClose],
    ['n', () => onMove(1)],
    ['p', () => onMove(-1)],
  ]);
  return (
    <aside ref={panel} className={styles.panel} aria-label="Request" tabIndex={-1}>
      <div className={styles.head}>
        <h2 className={styles.title}>Request</h2>
        <ActionIcon
          variant="subtle"
          color="gray"
          c="dimmed"
          aria-label="Request before"
          title="Request before (p)"
          onClick={() => onMove(-1)}
        >
          <IconChevronUp size={16} />
        </ActionIcon>
        <ActionIcon
          variant="subtle"
          color="gray"
          c="dimmed"
          aria-label="Next request"
          title="Next request (n)"
          onClick={() => onMove(1)}
        >
          <IconChevronDown size={16} />
        </ActionIcon>
        <CloseButton aria-label="Close the request" title="Close (Esc)" onClick={onClose} />
      </div>
      {error && <Problem error={error} onRetry={refetch} />}
      {!data && !error && <Loader size="sm" m="md" />}
      {data && <Known request={data} />}
    </aside>
  );
}

function Known({ request }: { request: Request }) {
  const clock = useClock();
  const { usual, key, params, mcp, gql, attacks, labels } = request;
  const picked = (field: string, value: string | null) =>
    value && <Pick term={term(field, value)} value={value} className={styles.whole} />;
  return (
    <div className={styles.known}>
      <Go
        to="/sessions/$id"
        params={{ id: request.session_id }}
        search={{ day: request.ts.slice(0, 10) }}
        className={styles.session}
      >
        Its session
      </Go>
      <p className={styles.line}>
        <strong>{legible(request.method, 40)}</strong>{' '}
        {legible(`${request.scheme}://${request.host}${request.path}`, 2000)}
      </p>
      <dl className={styles.facts}>
        <Fact title="Status">
          <Status status={request.status} />
        </Fact>
        <Fact title="Began">
          {clock.date(request.ts)} {clock.exact(request.ts)} <span className="quiet">{request.ts}</span>
        </Fact>
        <Fact title="Took">
          {took(request.duration_us)}
          {request.upstream_us !== null && <span className="quiet"> of it upstream {took(request.upstream_us)}</span>}
          {usual && (
            <div className="quiet">
              usually {took(usual.duration_us.p50)}, 19 of 20 within {took(usual.duration_us.p95)}
            </div>
          )}
        </Fact>
        <Fact title="Sent">
          {bytes(request.bytes_out)} <span className="quiet">received {bytes(request.bytes_in)}</span>
          {usual && (
            <div className="quiet">
              usually {bytes(usual.bytes_out.p50)}, 19 of 20 within {bytes(usual.bytes_out.p95)}
            </div>
          )}
        </Fact>
      </dl>
      {attacks.map(({ type, point, payload, engine, blocked }) => (
        <section key={`${type} ${point}`} className={styles.attack}>
          <h3>
            Attack: {legible(type, 80)}
            {blocked && ', blocked'}
          </h3>
          <div className="quiet">
            in {legible(point, 200)}, seen by {legible(engine, 80)}
          </div>
          <pre>{legible(payload, 4000)}</pre>
        </section>
      ))}
      {mcp && (
        <section>
          <h3>Call of an AI agent</h3>
          <div>
            {picked('mcp.method', mcp.method)} {picked('mcp.primitive', mcp.primitive)}
          </div>
          {mcp.error && <div className={styles.failed}>{legible(mcp.error, 400)}</div>}
          {mcp.arguments && <pre>{indented(mcp.arguments)}</pre>}
        </section>
      )}
      {gql && (
        <section>
          <h3>GraphQL</h3>
          {picked('gql.type', gql.type)} {picked('gql.operation', gql.operation)}
        </section>
      )}
      {params.length > 0 && (
        <section>
          <h3>Parameters</h3>
          <dl className={styles.facts}>
            {params.map(({ source, name, kind, value, hashed }) => (
              <Fact key={`${source} ${name}`} title={legible(name, 60)}>
                <Pick term={paramTerm(kind, name, value)} value={value} className={styles.whole}>
                  {legible(value, 1100)}
                </Pick>
                <div className="quiet">
                  {legible(source, 200)}
                  {kind !== 'context' && `, ${legible(kind, 20)}`}
                  {hashed && ', a pseudonym'}
                </div>
              </Fact>
            ))}
          </dl>
        </section>
      )}
      <section>
        <h3>From where, to where</h3>
        <dl className={styles.facts}>
          <Fact title="Endpoint">{picked('endpoint', request.endpoint)}</Fact>
          <Fact title="Address">
            {picked('ip', request.ip)} {picked('country', request.country)} {picked('network', request.network)}{' '}
            {request.network_label && <span className="quiet">{legible(request.network_label)}</span>}
          </Fact>
          <Fact title="User-Agent">{picked('user_agent', request.user_agent)}</Fact>
          <Fact title="Key">
            {legible(key.name, 80)}{' '}
            <Pick term={term('key.value', key.value)} value={key.value} className={styles.whole} />
            <div className="quiet">
              {legible(key.source, 200)}
              {key.hashed && ', a pseudonym'}
            </div>
          </Fact>
          <Fact title="Protocol">{picked('proto', request.proto)}</Fact>
          <Fact title="Application">{picked('application', request.application)}</Fact>
          <Fact title="Node">{picked('node', request.node)}</Fact>
          <Fact title="Noise">{request.noise ? 'yes, by a rule' : 'no'}</Fact>
          {labels.length > 0 && <Fact title="Labels">{labels.map((label) => legible(label)).join(', ')}</Fact>}
          <Fact title="Id">{picked('id', request.id)}</Fact>
        </dl>
      </section>
      <section>
        <h3>Notes</h3>
        <Notes key={request.id} session={request.session_id} request={request.id} />
      </section>
    </div>
  );
}

function Fact({ title, children }: { title: string; children: ReactNode }) {
  return (
    <>
      <dt>{title}</dt>
      <dd>{children}</dd>
    </>
  );
}

/** JSON with its lines, if it is whole. */
function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
      .split('\n')
      .map((line) => legible(line))
      .join('\n');
  } catch {
    return legible(text);
  }
}
