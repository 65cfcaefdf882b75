import { Checkbox, Code } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import { answer, api, type Node } from '../api/client';
import { term } from '../filter/text';
import { Go } from '../shell/Go';
import { Loading } from '../show/Loading';
import { legible } from '../show/legible';
import { counted } from '../show/numbers';
import { Problem } from '../show/Problem';
import { useClock } from '../time/zone';
import { isSilent, lostBy, secrets, type Warning, warnings } from './health';
import styles from './NodesPage.module.css';
import { Workers } from './Workers';

/** Time between two looks: workers report every ten seconds. */
const EVERY = 5000;

const WORST = ['lost', 'soon', 'told'] as const;

/** Each node and its workers: whether they are there, and whether anything is lost. */
export function NodesPage() {
  const search = useSearch({ from: '/nodes' });
  const navigate = useNavigate({ from: '/nodes' });
  const { data, error, refetch } = useQuery({
    queryKey: ['nodes'],
    queryFn: async ({ signal }) => (await answer(api.GET('/nodes', { signal }))).nodes as Node[],
    refetchInterval: EVERY,
  });
  const before = useRef(new Map<string, number>());
  for (const worker of data?.flatMap(({ workers }) => workers) ?? []) {
    if (!before.current.has(worker.instance)) before.current.set(worker.instance, lostBy(worker));
  }
  useEffect(() => {
    document.title = 'Nodes – API Sessions';
  }, []);
  if (error && !data) return <Problem error={error} onRetry={refetch} />;
  if (!data) return <Loading />;
  if (!data.length) return <NoneYet />;
  const nodes = data.map((node) => ({ node, wrong: warnings(node, before.current) }));
  const worst = ({ wrong }: { wrong: Warning[] }) => Math.min(9, ...wrong.map(({ level }) => WORST.indexOf(level)));
  const lost = ({ node }: { node: Node }) => node.workers.reduce((sum, worker) => sum + lostBy(worker), 0);
  nodes.sort(
    (one, other) =>
      worst(one) - worst(other) || lost(other) - lost(one) || one.node.name.localeCompare(other.node.name),
  );
  const workers = data.flatMap(({ workers }) => workers);
  const silent = workers.filter(isSilent).length;
  const apart = secrets(data);
  return (
    <div className={styles.page}>
      <div className={styles.top}>
        <h1 className={styles.title}>Nodes</h1>
        <span role="status">
          <Verdict nodes={nodes} />
        </span>
        <span className="quiet">
          {counted(data.length, 'node')}, {counted(workers.length - silent, 'worker')} at work
        </span>
        {silent > 0 && (
          <Checkbox
            size="xs"
            label={`Show ${counted(silent, 'worker')} without a report for a minute`}
            checked={search.silent === '1'}
            onChange={(event) => {
              const silent = event.currentTarget.checked ? '1' : undefined;
              navigate({ search: (now) => ({ ...now, silent }), replace: true });
            }}
          />
        )}
      </div>
      {error && <Problem error={error} onRetry={refetch} />}
      {apart && <Told warning={apart} />}
      {nodes.map(({ node, wrong }) => (
        <One key={node.name} node={node} wrong={wrong} silent={search.silent === '1'} />
      ))}
    </div>
  );
}

/** The first thing one wants to know. */
function Verdict({ nodes }: { nodes: { node: Node; wrong: Warning[] }[] }) {
  const of = (level: Warning['level']) => nodes.filter(({ wrong }) => wrong.some((one) => one.level === level));
  const lost = of('lost');
  const soon = of('soon');
  if (lost.length) {
    const n = lost.reduce((sum, { node }) => sum + node.workers.reduce((all, worker) => all + lostBy(worker), 0), 0);
    return (
      <strong className={styles.lost}>{`${counted(n, 'request')} lost on ${counted(lost.length, 'node')}`}</strong>
    );
  }
  if (soon.length)
    return <strong className={styles.soon}>{`Nothing lost, but look at ${counted(soon.length, 'node')}`}</strong>;
  return <strong className={styles.fine}>Nothing is lost</strong>;
}

function One({ node, wrong, silent }: { node: Node; wrong: Warning[]; silent: boolean }) {
  const clock = useClock();
  const { name, version, nginx, last_reported } = node;
  const living = node.workers.filter((worker) => !isSilent(worker));
  const shown = silent || !living.length ? node.workers : living;
  return (
    <section className={styles.node} aria-label={`Node ${legible(name, 200)}`}>
      <div className={styles.head}>
        <h2 className={styles.name}>{legible(name, 200)}</h2>
        <span className="quiet cut">
          module {legible(version, 40)} · nginx {legible(nginx, 40) || 'unknown'} · reported {clock.both(last_reported)}
        </span>
        <Go to="/sessions" search={{ filter: term('node', name) }} className={styles.link}>
          Its sessions
        </Go>
      </div>
      {wrong.map((warning) => (
        <Told key={warning.title} warning={warning} />
      ))}
      <Workers workers={shown} name={name} />
    </section>
  );
}

function Told({ warning: { level, title, text } }: { warning: Warning }) {
  return (
    <div className={styles.warning} data-level={level}>
      <strong>{legible(title, 300)}</strong> {legible(text, 2000)}
    </div>
  );
}

function NoneYet() {
  return (
    <div className={styles.page}>
      <h1 className={styles.title}>No node has reported yet</h1>
      <p>Each worker of an NGINX with sessions tells every ten seconds how it does. This finds out where it stops:</p>
      <Code block tabIndex={0}>
        api-sessions check http://127.0.0.1/
      </Code>
      <p className="quiet">The page looks again by itself.</p>
    </div>
  );
}
