import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
  retainSearchParams,
} from '@tanstack/react-router';
import * as address from './address';
import type { Question } from './filter/AskBar';
import { NotFound } from './shell/NotFound';
import { Shell } from './shell/Shell';
import type { Window } from './time/window';

/** What all pages keep in their address. */
export interface CommonSearch {
  /** The zone that times are shown in. */
  tz?: string;
}

/** What the list of sessions keeps in its address: all of its state. */
export interface SessionsSearch extends CommonSearch, Question {
  order?: string;
  /** Columns, with commas between them. */
  columns?: string;
  /** The row that is open, as `id.day`. */
  open?: string;
  /** The rows that were chosen to be seen side by side, a comma between them. */
  chosen?: string;
}

/** What two sessions side by side keep in their address. */
export interface BesideSearch extends CommonSearch {
  /** The one, as `id.day`; without the day all of it. */
  left?: string;
  right?: string;
  /** The filter of the list that they were chosen from. */
  general?: string;
  noise?: string;
  /** `1` when only steps are shown that differ. */
  only?: string;
}

/** What an open session keeps in its address. */
export interface SessionSearch extends CommonSearch {
  /** The UTC day of the part that is shown; without it all parts are. */
  day?: string;
  filter?: string;
  /** The filter of the list that it was opened from: it can be dropped and taken in again. */
  general?: string;
  from?: string;
  to?: string;
  noise?: string;
  /** `1` when repeated calls stand for themselves. */
  each?: string;
  /** The request that is shown in full. */
  request?: string;
  /** What stands at the side: `notes` or `related`, else the statistics. */
  side?: string;
}

/** What the overview keeps in its address. */
export interface OverviewSearch extends CommonSearch, Question {
  /** `1` when endpoints that take longest stand first. */
  longest?: string;
}

/** What the page of AI agents keeps in its address. */
export interface McpSearch extends CommonSearch, Question {
  /** The call that is shown in full. */
  request?: string;
}

/** What the page of a user keeps in its address. */
export interface UsersSearch extends CommonSearch, Window {
  /** Who, or the pseudonym; without it all users are listed. */
  user?: string;
}

/** What the page of the nodes keeps in its address. */
export interface NodesSearch extends CommonSearch {
  /** `1` when workers that no longer report are shown. */
  silent?: string;
}

type Texts = Record<string, unknown>;

/** The texts among what stands in an address; anything else is left out. */
function only<T extends object>(...names: (keyof T & string)[]) {
  return (search: Texts): T => {
    const kept = names.flatMap((name) => {
      const value = search[name];
      return typeof value === 'string' && value ? [[name, value]] : [];
    });
    return Object.fromEntries(kept) as T;
  };
}

const root = createRootRoute({
  component: Shell,
  notFoundComponent: NotFound,
  validateSearch: only<CommonSearch>('tz'),
  search: { middlewares: [retainSearchParams<CommonSearch>(['tz'])] },
});

const home = createRoute({
  getParentRoute: () => root,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/sessions', replace: true });
  },
});

const sessions = createRoute({
  getParentRoute: () => root,
  path: '/sessions',
  validateSearch: only<SessionsSearch>(
    'filter',
    'last',
    'from',
    'to',
    'noise',
    'order',
    'live',
    'columns',
    'open',
    'chosen',
    'tz',
  ),
  component: lazyRouteComponent(() => import('./sessions/SessionsPage'), 'SessionsPage'),
});

const session = createRoute({
  getParentRoute: () => root,
  path: '/sessions/$id',
  validateSearch: only<SessionSearch>(
    'day',
    'filter',
    'general',
    'from',
    'to',
    'noise',
    'each',
    'request',
    'side',
    'tz',
  ),
  component: lazyRouteComponent(() => import('./session/SessionPage'), 'SessionPage'),
});

const beside = createRoute({
  getParentRoute: () => root,
  path: '/beside',
  validateSearch: only<BesideSearch>('left', 'right', 'general', 'noise', 'only', 'tz'),
  component: lazyRouteComponent(() => import('./beside/BesidePage'), 'BesidePage'),
});

const nodes = createRoute({
  getParentRoute: () => root,
  path: '/nodes',
  validateSearch: only<NodesSearch>('silent', 'tz'),
  component: lazyRouteComponent(() => import('./nodes/NodesPage'), 'NodesPage'),
});

const overview = createRoute({
  getParentRoute: () => root,
  path: '/overview',
  validateSearch: only<OverviewSearch>('filter', 'last', 'from', 'to', 'noise', 'live', 'longest', 'tz'),
  component: lazyRouteComponent(() => import('./overview/OverviewPage'), 'OverviewPage'),
});

const mcp = createRoute({
  getParentRoute: () => root,
  path: '/mcp',
  validateSearch: only<McpSearch>('filter', 'last', 'from', 'to', 'noise', 'live', 'request', 'tz'),
  component: lazyRouteComponent(() => import('./mcp/McpPage'), 'McpPage'),
});

const users = createRoute({
  getParentRoute: () => root,
  path: '/users',
  validateSearch: only<UsersSearch>('user', 'last', 'from', 'to', 'tz'),
  component: lazyRouteComponent(() => import('./user/UsersPage'), 'UsersPage'),
});

const grouping = createRoute({
  getParentRoute: () => root,
  path: '/grouping',
  validateSearch: only<CommonSearch & Question>('filter', 'last', 'from', 'to', 'noise', 'live', 'tz'),
  component: lazyRouteComponent(() => import('./grouping/GroupingPage'), 'GroupingPage'),
});

export const router = createRouter({
  routeTree: root.addChildren([home, sessions, session, beside, overview, users, mcp, grouping, nodes]),
  // Plain texts, so that an address can be read and written by hand.
  parseSearch: (search) => Object.fromEntries(new URLSearchParams(search)),
  stringifySearch: (search) => {
    const texts = Object.entries(search).filter(([, value]) => typeof value === 'string' && value);
    const text = new URLSearchParams(texts as [string, string][]).toString();
    return text && `?${text}`;
  },
  rewrite: address,
  defaultPreload: 'intent',
  scrollRestoration: false,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
