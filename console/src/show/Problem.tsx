import { Button, Stack, Text, Title } from '@mantine/core';
import { Failed } from '../api/client';

/** What is told of an error. */
export const problemOf = (error: Error) =>
  error instanceof Failed ? error.problem : { title: 'The page failed', detail: error.message };

/** What went wrong, and how to try again. */
export function Problem({ error, onRetry }: { error: Error; onRetry?: () => void }) {
  const { title, detail } = problemOf(error);
  return (
    <Stack role="alert" align="flex-start" gap={6} p="lg" maw={640}>
      <Title order={2} size="h5">
        {title}
      </Title>
      <Text size="sm" c="dimmed">
        {detail}
      </Text>
      {onRetry && (
        <Button size="xs" variant="default" onClick={onRetry}>
          Try again
        </Button>
      )}
    </Stack>
  );
}
