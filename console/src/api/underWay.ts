import type { Middleware } from 'openapi-fetch';

/**
 * Questions that take long can be watched and cancelled, by an id that whoever asks gives them. Those of this page
 * begin all alike, so that it finds its own among those of others.
 */
const OWN = `console-${crypto.getRandomValues(new Uint32Array(2)).join('-')}-`;

/** What takes such an id. */
const LONG = /^\/(sessions|requests|stats|fields)(\/count)?$|^\/sessions\/\{id\}\/(requests(\/count)?|stats)$/;

let asked = 0;

/** Gives each long question an id. */
export const naming: Middleware = {
  onRequest({ request, schemaPath }) {
    if (request.method !== 'GET' || !LONG.test(schemaPath)) return undefined;
    const url = new URL(request.url);
    asked += 1;
    url.searchParams.set('query_id', `${OWN}${asked}`);
    return new Request(url, request);
  },
};

/** Whether a question was asked by this page. */
export const isOwn = (queryId: string) => queryId.startsWith(OWN);
