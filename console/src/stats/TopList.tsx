import { Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { Group } from '../api/client';
import type { Question } from '../filter/AskBar';
import { term } from '../filter/text';
import { Pick } from '../shell/Pick';
import { Card } from '../show/Card';
import { Endpoint } from '../show/Endpoint';
import { legible } from '../show/legible';
import { Name } from '../show/Name';
import { count, share, shortCount } from '../show/numbers';
import { Problem } from '../show/Problem';
import { isPseudonym } from '../user/pseudonym';
import { topQuestion } from './questions';
import styles from './TopList.module.css';

interface Props {
  asked: Question;
  /** The field whose values are counted. */
  by: string;
  title: string;
  /** What is said where no request has one. */
  none: string;
}

const TOP = 8;
/** Fields whose values may be pseudonyms. */
const NAMES = ['user', 'role'];
/** A share of answers 4xx or 5xx that is told in words. */
const MANY = 0.05;

/** The commonest values of a field, a bar each, answers 4xx and 5xx in it; a click filters by the value. */
export function TopList({ asked, by, title, none }: Props) {
  const { data, error, refetch } = useQuery(topQuestion(asked, by, TOP + 1, ['errors', 'client_errors']));
  // Requests without a value are a group, too, which is not shown.
  const valued = data?.groups.filter(({ group }) => group[by] !== null) ?? [];
  const groups = valued.slice(0, TOP);
  const values = data && data.group_count - (data.groups.length - valued.length);
  const all = (data?.groups.reduce((sum, { requests }) => sum + requests, 0) ?? 0) + (data?.other?.requests ?? 0);
  const most = groups[0]?.requests ?? 1;
  return (
    <Card title={title} beside={values !== undefined && values > TOP && <span className="quiet">{count(values)}</span>}>
      {error && <Problem error={error} onRetry={refetch} />}
      {!data && !error && <Skeleton height={180} />}
      {data && !groups.length && <p className="quiet">{none}</p>}
      {groups.map((group) => (
        <Row key={group.group[by]} group={group} by={by} all={all} most={most} />
      ))}
    </Card>
  );
}

function Row({ group, by, all, most }: { group: Group; by: string; all: number; most: number }) {
  const value = group.group[by] ?? '';
  const { requests, errors, client_errors } = group;
  const [failed, refused] = [errors ?? 0, client_errors ?? 0];
  const wide = (n: number) => `${(100 * n) / most}%`;
  const told = `${count(requests)} requests, ${share(requests, all)}; ${count(refused)} with 4xx, ${count(failed)} with 5xx`;
  return (
    <div className={styles.row}>
      <Pick term={by === 'status' ? `status=${value}` : term(by, value)} value={value} className={styles.name}>
        {by === 'endpoint' ? (
          <Endpoint text={value} host />
        ) : (
          <Name value={value} hashed={NAMES.includes(by) && isPseudonym(value)} />
        )}
      </Pick>
      <span className={styles.number} title={told}>
        {refused > requests * MANY && <span className={styles.refused}>{share(refused, requests)} 4xx </span>}
        {failed > requests * MANY && <span className={styles.failed}>{share(failed, requests)} 5xx </span>}
        {shortCount(requests)}
      </span>
      <span className={styles.bar} role="img" aria-label={legible(told)}>
        <span className={styles.fill} style={{ width: wide(requests - failed - refused) }} />
        <span className={styles.refusedFill} style={{ width: wide(refused) }} />
        <span className={styles.failedFill} style={{ width: wide(failed) }} />
      </span>
    </div>
  );
}
