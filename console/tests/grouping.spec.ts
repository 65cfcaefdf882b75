import { event, reports, send } from './node';
import { accessible, expect, fits, follow, type Page, test } from './page';

const full = () => process.env.FULL ?? '';
const part = (page: Page, name: string) => page.getByRole('region', { name, exact: true });
const KEYS = 'host="keys.example"';

async function open(page: Page, search: Record<string, string> = {}) {
  await send(process.env.INGEST ?? '', reports(), 'wallarm.node');
  await page.goto(`${full()}/?${new URLSearchParams({ page: 'grouping', last: '7d', tz: 'UTC', ...search })}`);
  await expect(part(page, 'Keys that decided')).toBeVisible();
}

test('keys are told with their requests and sessions, and lead to them', async ({ page }) => {
  const query = new URLSearchParams({ group_by: 'key.source,key.name', metrics: 'sessions', top: '50' });
  const { groups } = await (await page.request.get(`${full()}/api/v1/stats?${query}`)).json();
  const number = (n: number) => new Intl.NumberFormat('en-GB').format(n);
  await open(page);
  const row = part(page, 'Keys that decided').getByRole('row').nth(1);
  const [{ group, requests, sessions }] = groups;
  for (const text of [group['key.name'], group['key.source'], number(requests), number(sessions)]) {
    await expect(row).toContainText(text);
  }
  await row.getByRole('link').click();
  await expect(page.getByRole('combobox', { name: 'Filter' })).toHaveValue(/key\.source=".*" AND key\.name="/);
});

test('the share that only the address tells apart is told, and what to change where it is large', async ({ page }) => {
  const only = 'key.source="ip+ua"';
  await open(page, { filter: only });
  const alone = part(page, 'By address alone');
  await expect(alone).toContainText('100 % of the requests are told apart by address and User-Agent alone');
  await expect(alone).toContainText('wallarm_session_key request.header.Authorization.jwt.payload.sub;');
  await page.getByRole('button', { name: `Take away ${only}` }).click();
  await expect(alone).not.toContainText('100 %');
  await page.goBack();
  await expect(alone).toContainText('100 %');
  await open(page, { filter: KEYS });
  await expect(alone).toContainText('Every request says who it belongs to');
});

test('sessions that may be several people are told, with what to change', async ({ page }) => {
  await open(page, { filter: KEYS });
  const merged = part(page, 'Perhaps several in one session');
  await expect(merged).toContainText('1 session came from 5 addresses or more');
  await expect(merged.getByRole('row').nth(1)).toContainText('partner');
  await expect(merged).toContainText('Put a key that tells people apart before it');
  await expect(merged).toContainText('wallarm_session_key request.header.X-Api-Key;');
  await merged.getByRole('link').click();
  await expect(page.getByRole('table', { name: 'Requests' })).toContainText('Other address 198.51.100.1');
});

test('keys that split what belongs together are told, with what to change', async ({ page }) => {
  await open(page, { filter: KEYS });
  const split = part(page, 'Perhaps one in several sessions');
  await expect(split).toContainText('25 sessions of 26 (96 %) have a single request.');
  await expect(split).toContainText('nonce: 25 of 25 sessions with one request');
  await expect(split).toContainText('wallarm_session_builtin_keys off;');
});

test('the plan of each node is told in the order in which keys are tried', async ({ page }) => {
  await open(page);
  const plans = part(page, 'Plans of the nodes');
  await expect(plans).toContainText('edge-1');
  await expect(plans.getByRole('list').filter({ hasText: 'partner' }).first().getByRole('listitem')).toHaveText([
    'request.header.X-Api-Key as partner, group $host',
    'response.body.json.token as token',
    'the built-in headers, cookies and Authorization',
    'address and User-Agent, else the address',
  ]);
  await expect(plans).toContainText('Also takes sub (user, pseudonym)');
});

test('the keys are counted while they are followed', async ({ page }) => {
  const path = `/grouping-live-${Date.now()}`;
  await page.goto(`${full()}/?${new URLSearchParams({ page: 'grouping', last: '1h', filter: `path="${path}"` })}`);
  await expect(page.getByText('No request fits the filter in this time.')).toBeVisible();
  await follow(page);
  await send(process.env.INGEST ?? '', [event({ path })]);
  await expect(part(page, 'Keys that decided').getByRole('row').nth(1)).toContainText('cookie:test');
  await expect(part(page, 'Perhaps one in several sessions')).toContainText('1 session of 1');
});

test('no requests, a wrong filter and no answer are told', async ({ page }) => {
  await page.goto(`${process.env.EMPTY}/?page=grouping`);
  await expect(page.getByText('No request was made in this time.')).toBeVisible();
  await expect(page.getByText('No node has reported one.')).toBeVisible();
  await accessible(page);
  await page.goto(`${full()}/?page=grouping&filter=statsu%3D1`);
  await expect(page.getByRole('alert').first()).toContainText('there is no field');
  await page.route('**/api/v1/stats?**', (route) =>
    route.fulfill({ status: 500, json: { title: 'It failed', status: 500 } }),
  );
  await page.goto(`${full()}/?page=grouping`);
  await expect(page.getByRole('alert').first()).toContainText('It failed');
  await page.unroute('**/api/v1/stats?**');
  await page.getByRole('button', { name: 'Try again' }).first().click();
  await expect(part(page, 'Keys that decided')).toBeVisible();
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`everybody can read the grouping, and values steer nothing: ${colorScheme}`, async ({ page }) => {
    test.slow();
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await open(page);
    await expect(part(page, 'Plans of the nodes')).toContainText('\\u{202e}elif.exe');
    await expect(part(page, 'Perhaps one in several sessions')).toBeVisible();
    await fits(page);
    await accessible(page);
    await page.setViewportSize({ width: 390, height: 800 });
    await fits(page);
    await accessible(page);
  });
}
