import { event, send } from './node';
import { accessible, dragOver, expect, fits, follow, type Page, test } from './page';

const full = () => process.env.FULL ?? '';
const part = (page: Page, name: string) => page.getByRole('region', { name, exact: true });
const number = (n: number) => new Intl.NumberFormat('en-GB').format(n);

async function open(page: Page, search: Record<string, string> = {}) {
  await page.goto(`${full()}/?${new URLSearchParams({ page: 'overview', last: '7d', tz: 'UTC', ...search })}`);
  await expect(part(page, 'Hosts').getByRole('button').first()).toBeVisible();
}

/** What the API tells of requests that are not noise. */
async function stats(page: Page, query: Record<string, string>) {
  return (await page.request.get(`${full()}/api/v1/stats?${new URLSearchParams(query)}`)).json();
}

test('it tells how much there was, and the sessions of it', async ({ page }) => {
  // Of days that are over: nothing else arrives in them.
  const day = new Date(Date.now() - 3 * 86_400_000).toISOString().slice(0, 10);
  const time = { from: `${day}T00:00:00Z`, to: `${day}T12:00:00Z` };
  await open(page, time);
  const { groups } = await stats(page, { ...time, metrics: 'sessions,users,errors' });
  const { requests, sessions, users, errors } = groups[0];
  await expect(part(page, 'Requests')).toContainText(number(requests));
  await expect(part(page, 'Failed (5xx)')).toContainText(number(errors));
  await expect(part(page, 'Sessions')).toContainText(number(sessions));
  await expect(part(page, 'Users').first()).toContainText(number(users));
  await expect(part(page, 'Requests')).toContainText('%');
  await page.getByRole('link', { name: `The ${number(sessions)} sessions` }).click();
  await expect(page).toHaveURL(new RegExp(`/sessions\\?.*from=${day}`));
});

test('the commonest values are those of the API, and a click filters by them', async ({ page }) => {
  await open(page);
  for (const [title, by] of [
    ['Endpoints', 'endpoint'],
    ['Users', 'user'],
    ['Addresses', 'ip'],
  ] as const) {
    const { groups } = await stats(page, { group_by: by, top: '9' });
    const known = groups.filter(({ group }: { group: Record<string, string | null> }) => group[by] !== null);
    await expect(part(page, title).last().getByRole('button')).toHaveCount(Math.min(8, known.length));
  }
  await part(page, 'Hosts').getByRole('button', { name: 'api.example' }).click();
  await page.getByRole('menuitem', { name: 'Only with this' }).click();
  await expect(page).toHaveURL(/filter=host%3D%22api.example%22/);
  await expect(part(page, 'Hosts').getByRole('button')).toHaveCount(1);
  await page.goBack();
  await expect(part(page, 'Hosts').getByRole('button').nth(1)).toBeVisible();
});

test('slow endpoints stand beside what they took on the days before, in two orders', async ({ page }) => {
  await open(page, { last: '3d' });
  const slow = part(page, 'Slow endpoints');
  const factors = async () =>
    (await slow.getByRole('row').locator('td:last-child').allTextContents()).filter(Boolean).map(Number.parseFloat);
  await expect.poll(async () => (await factors()).length).toBeGreaterThan(3);
  const found = await factors();
  expect(found).toEqual([...found].sort((one, other) => other - one));
  await slow.getByText('Longest').click();
  await expect(page).toHaveURL(/longest=1/);
  await expect(slow.getByRole('row').nth(1)).toContainText(/ s/);
});

test('dragging over a figure looks closer', async ({ page }) => {
  await open(page);
  await dragOver(page, page.getByRole('img', { name: 'Requests over time' }), 0.4, 0.6);
  await expect(page).toHaveURL(/from=\d{4}-.*to=\d{4}-/);
  await expect(page.getByRole('button', { name: /^Time: .* – / })).toBeVisible();
});

test('the figures grow while they are followed', async ({ page }) => {
  const path = `/overview-live-${Date.now()}`;
  await page.goto(`${full()}/?${new URLSearchParams({ page: 'overview', last: '1h', filter: `path="${path}"` })}`);
  await expect(page.getByText('No request fits the filter in this time.')).toBeVisible();
  await follow(page);
  await send(process.env.INGEST ?? '', [event({ path })]);
  await expect(part(page, 'Requests').locator('strong')).toHaveText('1');
});

test('a wrong filter, no answer, and no requests are told', async ({ page }) => {
  await page.goto(`${full()}/?page=overview&filter=statsu%3D1`);
  await expect(page.getByRole('alert').first()).toContainText('there is no field');
  await page.goto(`${process.env.EMPTY}/?page=overview`);
  await expect(page.getByText('No request was made in this time.')).toBeVisible();
  await accessible(page);
  await page.route('**/api/v1/stats?**', (route) =>
    route.fulfill({ status: 500, json: { title: 'It failed', status: 500 } }),
  );
  await page.goto(`${full()}/?page=overview`);
  await expect(page.getByRole('alert').first()).toContainText('It failed');
  await page.unroute('**/api/v1/stats?**');
  await page.getByRole('button', { name: 'Try again' }).first().click();
  await expect(part(page, 'Requests')).toBeVisible();
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`everybody can read the overview, and values steer nothing: ${colorScheme}`, async ({ page }) => {
    test.slow();
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await open(page);
    await expect(part(page, 'Slow endpoints').getByRole('row').nth(1)).toBeVisible();
    await accessible(page);
    await page.setViewportSize({ width: 390, height: 800 });
    await open(page, { filter: 'host="hostile.example"' });
    await expect(part(page, 'Users').last()).toContainText('\\u{202e}elif.exe');
    await fits(page);
    await accessible(page);
  });
}
