import { Checkbox } from '@mantine/core';
import { IconArrowLeft } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useMemo } from 'react';
import type { BesideSearch } from '../router';
import { Folding } from '../session/fold';
import { partsQuestion } from '../session/questions';
import { whole } from '../session/whole';
import { Go } from '../shell/Go';
import { Loading } from '../show/Loading';
import { count, counted } from '../show/numbers';
import { Problem } from '../show/Problem';
import { aligned, differs, type Pair, stepsOf } from './align';
import styles from './BesidePage.module.css';
import { Facts } from './Facts';
import { firstQuestion, type Named, named } from './questions';
import { Steps } from './Steps';

/** So many equal calls in a row are one step: all, so that numbers of them can be compared. */
const ENOUGH = 2;

/** Two sessions side by side: what is known of both, and their steps. All of its state stands in the address. */
export function BesidePage() {
  const { left, right, general, noise } = useSearch({ from: '/beside' });
  useEffect(() => {
    document.title = 'Side by side – API Sessions';
  }, []);
  return (
    <div className={styles.page}>
      <div className={styles.top}>
        <Go
          to="/sessions"
          search={{ filter: general, noise, chosen: [left, right].filter(Boolean).join() || undefined }}
          className={styles.back}
        >
          <IconArrowLeft size={14} /> Sessions
        </Go>
        <h1 className={styles.title}>Two sessions side by side</h1>
        {left && right && <Chosen />}
      </div>
      {left && right ? (
        <Both key={`${left} ${right}`} left={named(left)} right={named(right)} />
      ) : (
        <p className={styles.nothing}>
          Choose two sessions in the list, each with <kbd>x</kbd> or the box at its left.
        </p>
      )}
    </div>
  );
}

/** What is shown of both. */
function Chosen() {
  const search = useSearch({ from: '/beside' });
  const navigate = useNavigate({ from: '/beside' });
  const change = (to: Partial<BesideSearch>) => navigate({ search: (now) => ({ ...now, ...to }), replace: true });
  return (
    <>
      <Checkbox
        size="xs"
        label="Hide noise"
        checked={search.noise !== 'show'}
        onChange={(event) => change({ noise: event.currentTarget.checked ? undefined : 'show' })}
      />
      <Checkbox
        size="xs"
        label="Only what differs"
        checked={search.only === '1'}
        onChange={(event) => change({ only: event.currentTarget.checked ? '1' : undefined })}
      />
    </>
  );
}

/** All that is asked about one of them. */
function useSide(side: Named) {
  const { noise } = useSearch({ from: '/beside' });
  const parts = useQuery(partsQuestion(side.id));
  const first = useQuery(firstQuestion(side, noise === 'show' ? noise : undefined));
  const all = useMemo(() => parts.data && whole(parts.data, side.day), [parts.data, side.day]);
  const steps = useMemo(
    () => all && first.data && stepsOf(new Folding(all.parts, true, ENOUGH).linesOf(first.data.requests)),
    [all, first.data],
  );
  const failed = [parts, first].find(({ error }) => error);
  return { ...side, all, steps, first: first.data, error: failed?.error, retry: () => failed?.refetch() };
}

function Both(given: { left: Named; right: Named }) {
  const { only } = useSearch({ from: '/beside' });
  const [left, right] = [useSide(given.left), useSide(given.right)];
  const pairs = useMemo(() => left.steps && right.steps && aligned(left.steps, right.steps), [left.steps, right.steps]);
  const failed = [left, right].find(({ error }) => error);
  if (failed?.error) return <Problem error={failed.error} onRetry={failed.retry} />;
  if (!left.all || !right.all || !left.first || !right.first || !pairs) return <Loading />;
  const shown = only === '1' ? pairs.filter(differs) : pairs;
  const begins = [left, right].flatMap(({ all, first }) =>
    first?.more && all ? [`the first ${count(first.requests.length)} of ${counted(all.requests, 'request')}`] : [],
  );
  return (
    <>
      <p role="status" className={styles.told}>
        <Sum pairs={pairs} />
        {begins.length > 0 && <span className="quiet"> · {begins.join(' and ')}</span>}
      </p>
      <Facts left={{ ...left, all: left.all }} right={{ ...right, all: right.all }} />
      {shown.length > 0 ? (
        <Steps pairs={shown} left={left} right={right} />
      ) : (
        <p className={styles.nothing}>
          {pairs.length ? 'No step differs.' : 'Neither has requests that are no noise.'}
        </p>
      )}
    </>
  );
}

/** The first thing one wants to know: how much they have in common. */
function Sum({ pairs }: { pairs: Pair[] }) {
  const of = (...hows: Pair['how'][]) => pairs.filter(({ how }) => hows.includes(how)).length;
  const others = of('other');
  return (
    <>
      <strong>{counted(of('same', 'some', 'other'), 'step')} in both</strong>
      {others > 0 && `, ${count(others)} of them with other answers or numbers`}; {count(of('left'))} only on the left,{' '}
      {count(of('right'))} only on the right
    </>
  );
}
