import { Anchor, Button, Code, Stack, Text, Title } from '@mantine/core';
import type { Asked } from './questions';

const LINES = `load_module modules/ngx_http_wallarm_sessions_module.so;

http {
    wallarm_session_secret /etc/api-sessions/secret;
    wallarm_sessions on;
}`;

interface Props {
  asked: Asked;
  /** Sessions that noise hides. */
  hidden: number;
  /** Whether there is any session of the whole week. */
  any: boolean;
  onAsk(change: Partial<Asked>): void;
}

/** What an empty list says: how to get sessions, or what keeps them from being seen. */
export function EmptyList({ asked, hidden, any, onAsk }: Props) {
  if (!any) return <NoneYet />;
  return (
    <Stack p="xl" align="flex-start" gap="xs">
      <Title order={2} size="h4">
        No session {asked.filter ? 'fits' : 'in this time'}
      </Title>
      <Text size="sm" c="dimmed">
        {asked.filter ? 'No request of this time meets the filter.' : 'Nothing was asked for in this time.'} Sessions of
        the last seven days are kept.
      </Text>
      <div style={{ display: 'flex', gap: 8, flexWrap: 'wrap' }}>
        {hidden > 0 && (
          <Button size="xs" onClick={() => onAsk({ noise: 'show' })}>
            Show noise ({hidden})
          </Button>
        )}
        <Button size="xs" variant="default" onClick={() => onAsk({ last: '7d', from: undefined, to: undefined })}>
          Look at all 7 days
        </Button>
        {asked.filter && (
          <Button size="xs" variant="default" onClick={() => onAsk({ filter: undefined })}>
            Without the filter
          </Button>
        )}
      </div>
    </Stack>
  );
}

function NoneYet() {
  return (
    <Stack p="xl" gap="sm" maw={720}>
      <Title order={2} size="h4">
        No sessions yet
      </Title>
      <Text size="sm">
        Put these lines into your nginx.conf, reload NGINX, and its requests appear here within seconds:
      </Text>
      <Code block>{LINES}</Code>
      <Text size="sm">Then see whether one comes through; this sends a request and names the step where it stops:</Text>
      <Code block>api-sessions check http://127.0.0.1/</Code>
      <Text size="sm" c="dimmed">
        Nothing running yet? <Code>scripts/demo</Code> starts a shop with clients, behind an NGINX of its own. The page
        looks again by itself.{' '}
        <Anchor href="/api/v1/nodes" underline="always">
          What the server knows of nodes
        </Anchor>
      </Text>
    </Stack>
  );
}
