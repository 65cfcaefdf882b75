import { ActionIcon, Tooltip } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';

/** What is shown, to be taken away as CSV. */
export function Csv({ what, href }: { what: string; href: string }) {
  return (
    <Tooltip label={`${what} as CSV`}>
      <ActionIcon component="a" variant="default" size={30} aria-label="CSV" href={href} download>
        <IconDownload size={16} />
      </ActionIcon>
    </Tooltip>
  );
}
