import {
  type InfiniteData,
  type QueryKey,
  type UseInfiniteQueryOptions,
  useInfiniteQuery,
} from '@tanstack/react-query';
import { useCallback, useMemo } from 'react';

/**
 * A list that comes page by page. What is there stays there when the next page, or looking again, fails: `rest` and
 * `stale` tell so then, `error` that there is nothing to show. Keep `rowsOf` the same.
 */
export function usePages<Page, Cursor, Key extends QueryKey, Row>(
  question: UseInfiniteQueryOptions<Page, Error, InfiniteData<Page>, Key, Cursor>,
  rowsOf: (page: Page) => Row[],
) {
  // Not taken apart: whoever reads one of its properties is told of changes of that one.
  const list = useInfiniteQuery(question);
  const { data, error, fetchNextPage, refetch } = list;
  const rows = useMemo(() => data?.pages.flatMap(rowsOf) ?? [], [data, rowsOf]);
  const onMore = useCallback(() => void fetchNextPage({ cancelRefetch: false }), [fetchNextPage]);
  const rest = list.isFetchNextPageError ? error : null;
  return {
    rows,
    /** Whether there was an answer. */
    known: data !== undefined,
    error: data ? null : error,
    stale: data && !rest ? error : null,
    rest,
    more: list.hasNextPage && !list.isFetchingNextPage && !rest,
    onMore,
    /** The answer to the question before, until that to this one is there. */
    old: list.isPlaceholderData,
    busy: list.isFetching && !list.isFetchingNextPage,
    refetch,
  };
}
