import { expect, type Page, test } from '@playwright/test';
import { LIKE_STORY, reports, STORY, send } from './node';

interface Picture {
  name: string;
  path: string;
  search?: Record<string, string>;
  colorScheme?: 'dark';
  width?: number;
  /** What has to be done before. */
  ready?(): Promise<void>;
  /** What has to be there. */
  until: string;
  before?(page: Page): Promise<void>;
}

/** The pictures of docs/console.md. */
const PICTURES: Picture[] = [
  { name: 'sessions', path: '/sessions', search: { order: 'requests desc' }, until: '[data-index]' },
  {
    name: 'sessions-look',
    path: '/sessions',
    search: { filter: 'status=5xx AND host="shop.example"' },
    colorScheme: 'dark',
    until: '[data-index]',
    before: async (page) => {
      await page.locator('[data-index] [data-toggle]').nth(1).click();
      await expect(page.getByRole('heading', { name: 'Endpoints' })).toBeVisible();
    },
  },
  {
    name: 'sessions-narrow',
    path: '/sessions',
    search: { order: 'requests desc' },
    width: 390,
    until: '[data-index]',
  },
  { name: 'beside', path: '/', search: { page: 'beside', left: STORY, right: LIKE_STORY }, until: '[data-index]' },
  {
    name: 'session',
    path: '/',
    search: { page: `sessions/${STORY}` },
    until: '[aria-label=Endpoints]',
    before: (page) => expect(page.locator('[data-index]').first()).toBeVisible(),
  },
  {
    name: 'session-request',
    path: '/',
    search: { page: `sessions/${STORY}`, filter: 'NOT status=403' },
    colorScheme: 'dark',
    until: '[aria-label=Endpoints]',
    before: async (page) => {
      await page.getByRole('table', { name: 'Requests' }).evaluate((table) => table.scrollTo(0, table.scrollHeight));
      await page.getByRole('button', { name: /13:31:26/ }).click();
      await expect(page.getByText('Attack: sqli')).toBeVisible();
    },
  },
  {
    name: 'nodes',
    path: '/',
    search: { page: 'nodes' },
    until: '[aria-label="Node edge-2"]',
    ready: () => send(process.env.INGEST ?? '', reports().slice(0, 4), 'wallarm.node'),
  },
  { name: 'overview', path: '/', search: { page: 'overview', last: '3d' }, until: '[aria-label=Hosts] button' },
  {
    name: 'agents',
    path: '/',
    search: { page: 'mcp', filter: 'mcp.server="tools.example/mcp" AND mcp.primitive IN ("find_orders","refund")' },
    until: '[aria-label=Servers] button',
    before: async (page) => {
      await page
        .getByRole('button', { name: /^All of the call/ })
        .last()
        .click();
      await expect(page.getByText('"customer"')).toBeVisible();
    },
  },
  { name: 'user', path: '/', search: { page: 'users', user: 'user-000003' }, until: '[aria-label=Addresses] a' },
  {
    name: 'grouping',
    path: '/',
    search: { page: 'grouping', filter: 'NOT host="hostile.example"' },
    until: '[aria-label="Plans of the nodes"] ol',
    ready: () => send(process.env.INGEST ?? '', reports().slice(0, 2), 'wallarm.node'),
  },
  { name: 'session-narrow', path: '/', search: { page: `sessions/${STORY}` }, width: 390, until: '[data-index]' },
];

for (const { name, path, search, colorScheme = 'light', width = 1280, ready, until, before } of PICTURES) {
  test(name, async ({ page }) => {
    await ready?.();
    await page.setViewportSize({ width, height: 720 });
    await page.emulateMedia({ colorScheme });
    await page.goto(`${process.env.FULL}${path}?${new URLSearchParams({ last: '7d', tz: 'UTC', ...search })}`);
    await expect(page.locator(until).first()).toBeVisible();
    await before?.(page);
    await page.waitForLoadState('networkidle');
    await page.screenshot({ path: `../docs/console/${name}.png` });
  });
}
