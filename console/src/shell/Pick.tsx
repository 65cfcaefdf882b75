import { Menu } from '@mantine/core';
import { IconCopy, IconFilter, IconFilterOff, IconUser } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import { type ReactNode, useCallback, useEffect, useRef, useState } from 'react';
import { and, negated, term as termOf } from '../filter/text';
import { legible } from '../show/legible';
import styles from './Pick.module.css';

interface Picked {
  term: string;
  value: string;
  at: HTMLElement;
}

const PICKED = 'picked';

interface Props {
  /** The term of a filter that shows what has this value. */
  term: string;
  /** The value, to be copied. */
  value: string;
  /** What it is, for those who do not see its column. */
  what?: string;
  className?: string;
  children?: ReactNode;
}

/** A value that one filters by, or against, with a click. */
export function Pick({ term, value, what, className, children }: Props) {
  return (
    <button
      type="button"
      className={`${styles.pick} ${className ?? ''}`}
      title={legible(value, 500)}
      aria-haspopup="menu"
      aria-label={what && `${what}: ${legible(value, 200)}`}
      onClick={(event) => {
        event.stopPropagation();
        const detail: Picked = { term, value, at: event.currentTarget };
        window.dispatchEvent(new CustomEvent(PICKED, { detail }));
      }}
    >
      <bdi>{children ?? legible(value, 300)}</bdi>
    </button>
  );
}

/** The menu of whatever was picked: one for all, as a page has thousands of values. */
export function PickedMenu() {
  const [picked, setPicked] = useState<Picked | null>(null);
  const target = useRef<HTMLButtonElement>(null);
  const navigate = useNavigate();
  useEffect(() => {
    const show = (event: Event) => {
      const detail = (event as CustomEvent<Picked>).detail;
      const { left, bottom } = detail.at.getBoundingClientRect();
      if (target.current) {
        target.current.style.left = `${left}px`;
        target.current.style.top = `${bottom}px`;
      }
      setPicked(detail);
    };
    window.addEventListener(PICKED, show);
    return () => window.removeEventListener(PICKED, show);
  }, []);
  const close = useCallback(() => {
    setPicked((was) => {
      was?.at.focus({ preventScroll: true });
      return null;
    });
  }, []);
  const filter = (term: string) =>
    navigate({
      to: '.',
      // Page and row of before mean nothing any more.
      search: (now) => ({ ...now, filter: and((now as { filter?: string }).filter, term), open: undefined }),
    });
  return (
    <Menu
      opened={picked !== null}
      onChange={(open) => !open && close()}
      position="bottom-start"
      offset={4}
      withinPortal
      returnFocus={false}
      width={210}
    >
      <Menu.Target>
        <button ref={target} type="button" className={styles.target} tabIndex={-1} aria-hidden="true" />
      </Menu.Target>
      <Menu.Dropdown aria-label="What to do with the value">
        <Menu.Item leftSection={<IconFilter size={15} />} onClick={() => picked && filter(picked.term)}>
          Only with this
        </Menu.Item>
        <Menu.Item leftSection={<IconFilterOff size={15} />} onClick={() => picked && filter(negated(picked.term))}>
          Only without this
        </Menu.Item>
        {picked && picked.term === termOf('user', picked.value) && (
          <Menu.Item
            leftSection={<IconUser size={15} />}
            onClick={() => navigate({ to: '/users', search: { user: picked.value } })}
          >
            All of this user
          </Menu.Item>
        )}
        <Menu.Item
          leftSection={<IconCopy size={15} />}
          onClick={() => picked && navigator.clipboard?.writeText(picked.value)}
        >
          Copy
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
