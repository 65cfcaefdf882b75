import { Skeleton } from '@mantine/core';

/** What stands on a page until the first answer. */
export function Loading() {
  return (
    <div role="status" aria-label="Loading" style={{ padding: 16 }}>
      <Skeleton height={28} mb="md" width={240} />
      <Skeleton height={140} mb="md" />
      <Skeleton height={240} />
    </div>
  );
}
