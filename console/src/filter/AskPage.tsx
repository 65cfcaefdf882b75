import { type ReactNode, useEffect } from 'react';
import { wrongFilter } from '../api/client';
import type { useLive } from '../sessions/useLive';
import { Problem } from '../show/Problem';
import { AskBar, type Question } from './AskBar';
import styles from './AskPage.module.css';
import { asFilter } from './text';

interface Props {
  /** What the page is called. */
  title: string;
  asked: Question;
  /** The question that all of the page stands on. */
  on: { error: Error | null; isFetching: boolean; refetch(): unknown };
  live: ReturnType<typeof useLive>;
  onAsk(change: Question, replace?: boolean): void;
  /** What stands beside the chips of the filter. */
  beside?: ReactNode;
  /** What is shown when there was an answer. */
  children: ReactNode;
}

/** A page about the requests of a filter and a time, with what went wrong if anything did. */
export function AskPage({ title, asked, on, live, onAsk, beside, children }: Props) {
  const wrong = wrongFilter(on.error);
  useEffect(() => {
    document.title = `${title} – API Sessions`;
  }, [title]);
  return (
    <div className={styles.page}>
      <h1 className="unseen">{title}</h1>
      <AskBar
        asked={asked}
        wrong={wrong}
        busy={on.isFetching}
        live={live}
        onFilter={(text) => onAsk({ filter: asFilter(text) })}
        onAsk={onAsk}
        onLive={(live) => onAsk({ live }, true)}
      >
        {beside}
      </AskBar>
      {on.error ? !wrong && <Problem error={on.error} onRetry={on.refetch} /> : children}
    </div>
  );
}
