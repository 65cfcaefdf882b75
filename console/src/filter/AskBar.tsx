import { Button, Checkbox, Tooltip } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { IconPlayerPause, IconPlayerPlay } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import type { Failed } from '../api/client';
import { WindowSelect } from '../time/WindowSelect';
import type { Window } from '../time/window';
import styles from './AskBar.module.css';
import { Chips } from './Chips';
import { FilterBox } from './FilterBox';

/** What a page asks the server about. */
export interface Question extends Window {
  filter?: string;
  /** `show` when noise is shown. */
  noise?: string;
  /** `1` while following. */
  live?: string;
}

interface Props {
  asked: Question;
  wrong: Failed | undefined;
  busy: boolean;
  live: 'off' | 'on' | 'away';
  /** What is told beside the box that hides noise. */
  hidden?: ReactNode;
  /** Something was written into the box. */
  onFilter(text: string): void;
  onAsk(change: Question): void;
  /** Live was turned on or off. */
  onLive(live: string | undefined): void;
  children?: ReactNode;
}

/** What all pages that ask about requests begin with: filter, time, live, noise. */
export function AskBar({ asked, wrong, busy, live, hidden, onFilter, onAsk, onLive, children }: Props) {
  const follow = () => onLive(asked.live ? undefined : '1');
  useHotkeys([['l', follow]]);
  return (
    <>
      <search className={styles.bar}>
        <FilterBox filter={asked.filter ?? ''} window={asked} wrong={wrong} busy={busy} onFilter={onFilter} />
        <WindowSelect window={asked} onWindow={({ last, from, to }) => onAsk({ last, from, to })} />
        <Tooltip label={live === 'away' ? 'The server does not answer; trying again' : 'Show what arrives (l)'}>
          <Button
            variant={live === 'off' ? 'default' : 'light'}
            className={styles.live}
            leftSection={live === 'off' ? <IconPlayerPlay size={14} /> : <IconPlayerPause size={14} />}
            aria-pressed={live !== 'off'}
            onClick={follow}
          >
            {live === 'away' ? 'Waiting' : 'Live'}
          </Button>
        </Tooltip>
      </search>
      <div className={styles.chips}>
        {asked.filter && !wrong && <Chips filter={asked.filter} onFilter={(filter) => onAsk({ filter })} />}
        <Checkbox
          size="xs"
          label={<>Hide noise {hidden}</>}
          checked={asked.noise !== 'show'}
          onChange={(event) => onAsk({ noise: event.currentTarget.checked ? undefined : 'show' })}
        />
        {children}
      </div>
    </>
  );
}
