import { Button, Divider, Popover, Stack, TextInput, UnstyledButton } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconChevronDown, IconClock } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import styles from './WindowSelect.module.css';
import { PRESETS, preset, resolved, type Window } from './window';
import { useClock } from './zone';

interface Props {
  window: Window;
  onWindow(window: Window): void;
}

/** The time that is looked at: a length up to now, or two moments in the chosen zone. */
export function WindowSelect({ window, onWindow }: Props) {
  const clock = useClock();
  const [opened, { close, toggle }] = useDisclosure(false);
  const chosen = preset(window);
  const take = (window: Window) => {
    close();
    onWindow(window);
  };
  const { from, to } = resolved(window);
  const title = chosen?.title ?? `${clock.both(from).slice(0, -3)} – ${to ? clock.both(to).slice(0, -3) : 'now'}`;
  return (
    <Popover opened={opened} onChange={close} position="bottom-end" trapFocus returnFocus>
      <Popover.Target>
        <Button
          variant="default"
          onClick={toggle}
          leftSection={<IconClock size={15} />}
          rightSection={<IconChevronDown size={14} />}
          className={styles.button}
          aria-label={`Time: ${title}`}
        >
          {title}
        </Button>
      </Popover.Target>
      <Popover.Dropdown p="xs" w={250} aria-label="Time">
        {PRESETS.map(({ last, title }) => (
          <UnstyledButton
            key={last}
            className={styles.preset}
            data-chosen={chosen?.last === last || undefined}
            aria-pressed={chosen?.last === last}
            onClick={() => take({ last })}
          >
            {title}
          </UnstyledButton>
        ))}
        <Divider my="xs" />
        <Between window={window} onWindow={take} />
      </Popover.Dropdown>
    </Popover>
  );
}

function Between({ window, onWindow }: Props) {
  const clock = useClock();
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  useEffect(() => {
    const now = resolved(window);
    setFrom(clock.input(now.from));
    setTo(now.to ? clock.input(now.to) : '');
  }, [window, clock]);
  const [begin, end] = [clock.moment(from), to ? clock.moment(to) : Number.POSITIVE_INFINITY];
  const wrong = from && !(end > begin) ? 'ends before it begins' : undefined;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onWindow({
          from: new Date(begin).toISOString(),
          to: Number.isFinite(end) ? new Date(end).toISOString() : undefined,
        });
      }}
    >
      <Stack gap="xs">
        <TextInput
          type="datetime-local"
          size="xs"
          label={`From (${clock.zone})`}
          value={from}
          onChange={(event) => setFrom(event.currentTarget.value)}
        />
        <TextInput
          type="datetime-local"
          size="xs"
          label="To (empty: now)"
          value={to}
          error={wrong}
          onChange={(event) => setTo(event.currentTarget.value)}
        />
        <Button type="submit" size="xs" disabled={Number.isNaN(begin) || Boolean(wrong)}>
          Show this time
        </Button>
      </Stack>
    </form>
  );
}
