import { ActionIcon, Anchor, Button, Modal, Stack, Text, Tooltip } from '@mantine/core';
import { useClipboard } from '@mantine/hooks';
import { IconCheck, IconFileCertificate, IconLink } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { address, answer, api } from '../api/client';
import type { SessionSearch } from '../router';
import { Csv } from '../show/Csv';
import { bytes, counted } from '../show/numbers';
import { Problem } from '../show/Problem';

interface Props {
  id: string;
  search: SessionSearch;
  /** Where a link to what is shown leads, whenever it is opened. */
  link(): string;
}

/** What is taken away from the page: a link, the requests as CSV, evidence. */
export function Actions({ id, search, link }: Props) {
  const clipboard = useClipboard({ timeout: 2000 });
  const bundle = useMutation({
    mutationFn: () => answer(api.POST('/sessions/{id}/bundles', { params: { path: { id } } })),
  });
  const { day, filter, from, to, noise } = search;
  return (
    <>
      <Tooltip label={clipboard.copied ? 'Copied' : 'Copy a link that shows this, with its time'}>
        <ActionIcon
          variant="default"
          size={30}
          aria-label={clipboard.copied ? 'Link copied' : 'Copy link'}
          onClick={() => clipboard.copy(link())}
        >
          {clipboard.copied ? <IconCheck size={16} /> : <IconLink size={16} />}
        </ActionIcon>
      </Tooltip>
      <Csv
        what="The requests that are shown"
        href={address(`/sessions/${id}/requests.csv`, {
          day,
          filter,
          from,
          to,
          noise: noise === 'show' ? noise : undefined,
        })}
      />
      <Tooltip label="Write down all that is known of the session; it outlives the week">
        <Button
          variant="default"
          size="xs"
          h={30}
          leftSection={<IconFileCertificate size={16} />}
          loading={bundle.isPending}
          onClick={() => bundle.mutate()}
        >
          Evidence
        </Button>
      </Tooltip>
      <Modal
        opened={bundle.isSuccess || bundle.isError}
        onClose={bundle.reset}
        title="Evidence bundle"
        lockScroll={false}
        centered
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        {bundle.error && <Problem error={bundle.error} onRetry={() => bundle.mutate()} />}
        {bundle.data && (
          <Stack gap="xs">
            <Text size="sm">
              {counted(bundle.data.requests, 'request')}, {bytes(bundle.data.bytes)}
              {bundle.data.requests_left_out > 0 && `; ${counted(bundle.data.requests_left_out, 'request')} left out`}.
              It stays until somebody deletes it.
            </Text>
            <Anchor href={address(`/bundles/${bundle.data.id}.html`, {})} target="_blank" underline="always" size="sm">
              Page to read and to print
            </Anchor>
            <Anchor href={address(`/bundles/${bundle.data.id}.ndjson`, {})} download underline="always" size="sm">
              Archive (NDJSON)
            </Anchor>
            <Text size="xs" c="dimmed">
              BLAKE3 of page and archive:
            </Text>
            {[bundle.data.blake3.html, bundle.data.blake3.ndjson].map((hash) => (
              <Text key={hash} className="mono" style={{ overflowWrap: 'anywhere' }}>
                {hash}
              </Text>
            ))}
          </Stack>
        )}
      </Modal>
    </>
  );
}
