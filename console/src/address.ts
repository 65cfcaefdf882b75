/**
 * How pages are written in the address. The server answers `/` and `/sessions` with the page; the path of any other
 * stands in `page`: `/?page=sessions/4f...&day=2026-03-10`.
 */
const OWN = ['/', '/sessions'];

/** From what the browser shows to the path that the router knows. */
export function input({ url }: { url: URL }): URL {
  const page = url.searchParams.get('page');
  if (url.pathname !== '/' || !page) return url;
  url.searchParams.delete('page');
  url.pathname = `/${page}`;
  return url;
}

/** And back. */
export function output({ url }: { url: URL }): URL {
  if (OWN.includes(url.pathname)) return url;
  const rest = url.search.slice(1);
  url.search = `page=${url.pathname.slice(1)}${rest && '&'}${rest}`;
  url.pathname = '/';
  return url;
}
