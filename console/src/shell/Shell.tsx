import { ActionIcon, Kbd, Modal, Table, Tooltip, useComputedColorScheme, useMantineColorScheme } from '@mantine/core';
import { useDisclosure, useHotkeys } from '@mantine/hooks';
import { IconKeyboard, IconMoon, IconSun } from '@tabler/icons-react';
import { Link, Outlet, useSearch } from '@tanstack/react-router';
import { isZone, ownZone, ZoneContext } from '../time/zone';
import { PickedMenu } from './Pick';
import { Progress } from './Progress';
import styles from './Shell.module.css';
import { ZoneSelect } from './ZoneSelect';

const PAGES = [
  { to: '/sessions', title: 'Sessions' },
  { to: '/overview', title: 'Overview' },
  { to: '/users', title: 'Users' },
  { to: '/mcp', title: 'AI agents' },
  { to: '/grouping', title: 'Grouping' },
  { to: '/nodes', title: 'Nodes' },
] as const;

/** What surrounds every page: the way to the others, the zone, the colours, the keys. */
export function Shell() {
  const { tz } = useSearch({ strict: false });
  const zone = isZone(tz) ? tz : ownZone;
  const [keys, { open, close }] = useDisclosure(false);
  const scheme = useComputedColorScheme('light');
  const { setColorScheme } = useMantineColorScheme();
  const turn = () => setColorScheme(scheme === 'dark' ? 'light' : 'dark');
  useHotkeys([
    ['shift+?', open],
    ['?', open],
    ['shift+D', turn],
  ]);
  return (
    <ZoneContext.Provider value={zone}>
      <div className={styles.shell}>
        <a className={styles.skip} href="#main">
          To the content
        </a>
        <header className={styles.header}>
          <Link to="/sessions" className={styles.brand}>
            API Sessions
          </Link>
          <nav className={styles.nav} aria-label="Pages">
            {PAGES.map(({ to, title }) => (
              <Link
                key={to}
                to={to}
                className={styles.page}
                activeProps={{ 'data-active': true, 'aria-current': 'page' }}
              >
                {title}
              </Link>
            ))}
          </nav>
          <ZoneSelect zone={zone} />
          <Tooltip label={scheme === 'dark' ? 'Light colours' : 'Dark colours'}>
            <ActionIcon variant="subtle" color="gray" c="dimmed" onClick={turn} aria-label="Light or dark colours">
              {scheme === 'dark' ? <IconSun size={17} /> : <IconMoon size={17} />}
            </ActionIcon>
          </Tooltip>
          <Tooltip label="Keys (?)">
            <ActionIcon
              variant="subtle"
              color="gray"
              c="dimmed"
              className={styles.keys}
              onClick={open}
              aria-label="Keys"
            >
              <IconKeyboard size={18} />
            </ActionIcon>
          </Tooltip>
        </header>
        <main id="main" className={styles.main} tabIndex={-1}>
          <Outlet />
        </main>
      </div>
      <PickedMenu />
      <Progress />
      <Modal
        opened={keys}
        onClose={close}
        title="Keys"
        lockScroll={false}
        centered
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        <Table>
          <Table.Tbody>
            {KEYS.map(([key, what]) => (
              <Table.Tr key={key}>
                <Table.Td w={130}>
                  <Kbd>{key}</Kbd>
                </Table.Td>
                <Table.Td>{what}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Modal>
    </ZoneContext.Provider>
  );
}

const KEYS = [
  ['/', 'to the search'],
  ['j  k', 'next row, row before'],
  ['Enter', 'look into the row'],
  ['x  c', 'choose the row; see the two that are chosen side by side'],
  ['l', 'follow live, or stop'],
  ['z  Shift Z  0', 'in a session: closer, farther, all of its time'],
  [',  .', 'earlier, later'],
  ['n  p', 'next request, request before'],
  ['Shift D', 'light or dark'],
  ['?', 'these keys'],
];
