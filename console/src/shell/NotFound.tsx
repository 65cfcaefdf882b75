import { Anchor, Stack, Text, Title } from '@mantine/core';
import { Link } from '@tanstack/react-router';

/** For addresses that are no page. */
export function NotFound() {
  return (
    <Stack p="xl" align="flex-start" gap="xs">
      <Title order={1} size="h3">
        There is no such page
      </Title>
      <Text c="dimmed">The address may be cut short.</Text>
      <Anchor component={Link} to="/sessions">
        Sessions
      </Anchor>
    </Stack>
  );
}
