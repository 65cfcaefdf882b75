import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { address } from '../api/client';
import { type Asked, shownNoise } from './questions';

/** Time between two looks at the list while requests come in. */
const EVERY = 2000;

/** Follows what arrives: while it is on, the questions named are asked again after requests that fit. */
export function useLive(on: boolean, asked: Asked, questions: string[]): 'off' | 'on' | 'away' {
  const client = useQueryClient();
  const [state, setState] = useState<'on' | 'away'>('on');
  const names = questions.join();
  const followed = address('/stream', { filter: asked.filter, noise: shownNoise(asked) });
  useEffect(() => {
    if (!on) return;
    let waiting: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
      waiting = undefined;
      const late = names.split(',').some((name) => client.isFetching({ queryKey: [name] }) > 0);
      for (const name of names.split(',')) {
        // What was read beyond the first page belongs to an older state of the list.
        client.setQueriesData<{ pages: unknown[]; pageParams: unknown[] }>(
          { queryKey: [name], type: 'active' },
          (was) => (was?.pages ? { pages: was.pages.slice(0, 1), pageParams: was.pageParams.slice(0, 1) } : was),
        );
        // One that takes longer than the time between two looks would else never be answered.
        client.invalidateQueries({ queryKey: [name] }, { cancelRefetch: false });
      }
      // What was asked before the requests came may not know them.
      if (late) arrived();
    };
    const stream = new EventSource(followed);
    const arrived = () => {
      waiting ??= setTimeout(look, EVERY);
    };
    for (const event of ['request', 'missed']) stream.addEventListener(event, arrived);
    stream.onopen = () => setState('on');
    stream.onerror = () => setState('away');
    return () => {
      stream.close();
      clearTimeout(waiting);
    };
  }, [on, followed, names, client]);
  return on ? state : 'off';
}
