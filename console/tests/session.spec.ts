import { HOSTILE, NEIGHBOUR, STORY } from './node';
import { accessible, csv, dragOver, expect, fits, type Page, test } from './page';

const full = () => process.env.FULL ?? '';
const table = (page: Page) => page.getByRole('table', { name: 'Requests' });
const rows = (page: Page) => table(page).locator('[data-index]');
const told = (page: Page) => page.getByRole('status').filter({ hasText: 'request' }).first();
const panel = (page: Page) => page.getByRole('complementary', { name: 'Request' });

async function open(page: Page, id = STORY, search: Record<string, string> = {}) {
  await page.goto(`${full()}/?${new URLSearchParams({ page: `sessions/${id}`, tz: 'UTC', ...search })}`);
  await expect(rows(page).first()).toBeVisible();
}

test('a row of the list leads to the session, with the filter of the list', async ({ page }) => {
  await page.goto(`${full()}/sessions?${new URLSearchParams({ last: '7d', filter: 'user="ada@shop.example"' })}`);
  await page.getByRole('button', { name: /Look into/ }).click();
  await page.getByRole('link', { name: 'Open the session' }).click();
  await expect(page).toHaveURL(new RegExp(`page=sessions/${STORY}&day=`));
  await expect(page.getByRole('heading', { name: 'ada@shop.example' })).toBeVisible();
  await expect(told(page)).toContainText('33 requests');
  await page.goBack();
  await expect(page.getByRole('link', { name: 'Open the session' })).toBeVisible();
});

test('the header tells who, when, how much and from where', async ({ page }) => {
  await open(page);
  const header = page.locator('main header');
  for (const text of [
    'ada@shop.example',
    'customer',
    'sqli 1',
    '09:00:00',
    '33',
    '203.0.113.77',
    '84.132.84.16',
    'edge-1',
  ]) {
    await expect(header).toContainText(text);
  }
});

test('equal calls are folded, and unfolded one by one or all', async ({ page }) => {
  await open(page);
  const run = page.getByRole('button', { name: /^14 equal calls/ });
  await run.click();
  await expect(run).toHaveAttribute('aria-expanded', 'true');
  await expect(table(page)).toContainText('/orders/70400');
  await page.getByRole('checkbox', { name: 'Fold equal calls' }).uncheck();
  await expect(run).toHaveCount(0);
  await expect(page).toHaveURL(/each=1/);
});

test('beside each request stand its parameters, and what is usual of its endpoint', async ({ page }) => {
  await open(page);
  const row = (name: RegExp) => table(page).getByRole('row', { name });
  await expect(row(/\/cart\/items/)).toHaveText(/201.*sku sku-1841/);
  await expect(row(/\/products\/1841/)).toHaveText(/14\.0 ms[\d.]+ (µs|ms).*kB|14\.0 ms[\d.]+ (µs|ms).* B/);
});

test('it is told where the address, the User-Agent and the visit became others', async ({ page }) => {
  await open(page);
  await expect(table(page)).toContainText('Next visit, after a pause of 4 h 28 min');
  await expect(table(page)).toContainText('Other address 203.0.113.77 before: 84.132.84.16');
  await expect(table(page)).toContainText('Other User-Agent python-requests/2.32 before: Shop/5.2');
});

test('the filter of the list is dropped, and taken in again', async ({ page }) => {
  await open(page, STORY, { filter: 'status=4xx', general: 'status=4xx' });
  await expect(told(page)).toContainText('14 requests of 33');
  await page.getByRole('button', { name: 'Show all requests' }).click();
  await expect(told(page)).toContainText('33 requests');
  await page.getByRole('button', { name: 'Apply filters' }).click();
  await expect(told(page)).toContainText('14 requests of 33');
  await expect(page).toHaveURL(/filter=status%3D4xx/);
});

test('a click on a statistic filters the requests, and Back shows them again', async ({ page }) => {
  await open(page);
  const statuses = page.getByRole('region', { name: 'Statuses' });
  await expect(statuses).toContainText('14 42 %');
  await statuses.getByRole('button', { name: '403' }).click();
  await page.getByRole('menuitem', { name: 'Only with this' }).click();
  await expect(told(page)).toContainText('14 requests of 33');
  await page.goBack();
  await expect(told(page)).toHaveText('33 requests');
});

test('the time is looked at closer by visits, by keys and with the wheel', async ({ page }) => {
  await open(page);
  await page.getByRole('button', { name: /^09:00/ }).click();
  await expect(told(page)).toContainText('7 requests of 33');
  await expect(page).toHaveURL(/from=.*T09%3A00%3A00/);
  await page.keyboard.press('0');
  await expect(told(page)).toHaveText('33 requests');
  await page.keyboard.press('z');
  await expect(told(page)).not.toHaveText('33 requests');
  await page.keyboard.press('0');
  await expect(told(page)).toHaveText('33 requests');
  await page.getByRole('img', { name: '33 requests over time' }).hover();
  await page.keyboard.down('Control');
  await page.mouse.wheel(0, -300);
  await page.keyboard.up('Control');
  await expect(page).toHaveURL(/from=/);
  await page.goBack();
  await expect(told(page)).toHaveText('33 requests');
});

test('dragging over the timeline looks closer, and Back shows all of it', async ({ page }) => {
  await open(page);
  await dragOver(page, page.getByRole('img', { name: '33 requests over time' }), 0.001, 0.3);
  await expect(told(page)).toContainText('7 requests of 33');
  await expect(page).toHaveURL(/from=\d{4}-.*to=\d{4}-/);
  await page.goBack();
  await expect(told(page)).toHaveText('33 requests');
});

test('a request is shown with everything known, and a link shows the same', async ({ page, context }) => {
  await open(page);
  await table(page).evaluate((table) => table.scrollTo(0, table.scrollHeight));
  await page.getByRole('button', { name: /13:31:26/ }).click();
  for (const text of [
    'https://shop.example/search',
    '500',
    '2.40 s',
    "' OR 1=1 --",
    'request.header.Authorization',
    'edge-2',
  ]) {
    await expect(panel(page)).toContainText(text);
  }
  const other = await context.newPage();
  await other.goto(page.url());
  await expect(panel(other)).toContainText("' OR 1=1 --");
  await page.getByRole('button', { name: 'Request before' }).click();
  await expect(panel(page)).toContainText('/orders/70422');
  await page.keyboard.press('Escape');
  await expect(panel(page)).toHaveCount(0);
});

test('notes and labels are given and taken away', async ({ page }) => {
  await open(page);
  await page.getByRole('button', { name: 'Give a label' }).click();
  await page.getByRole('combobox', { name: 'Label' }).fill('to check');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Take away the label to check' })).toBeVisible();
  await page.getByRole('tab', { name: /Notes/ }).click();
  await page.getByRole('textbox', { name: 'Note' }).fill('counts through orders\n<b>with a stolen token</b>');
  await page.getByRole('button', { name: 'Add note' }).click();
  await expect(page.getByRole('article')).toContainText('<b>with a stolen token</b>');
  await page.getByRole('button', { name: 'Remove the note' }).click();
  await expect(page.getByRole('article')).toHaveCount(0);
  await page.getByRole('button', { name: 'Take away the label to check' }).click();
  await expect(page.getByText('to check')).toHaveCount(0);
});

test('the link that is copied holds the time, and shows the same', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await open(page, STORY, { filter: 'status=4xx' });
  await page.getByRole('button', { name: 'Copy link' }).click();
  await expect(page.getByRole('button', { name: 'Link copied' })).toBeVisible();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  expect(link).toMatch(/from=\d{4}-.*&to=\d{4}-/);
  await page.goto(link);
  await expect(told(page)).toContainText('14 requests of 33');
});

test('the CSV holds the requests that are shown', async ({ page }) => {
  await open(page, STORY, { filter: 'status=4xx' });
  const lines = await csv(page);
  expect(lines[0]).toContain('id,session_id,ts,');
  expect(lines.length - 1).toBe(14);
});

test('evidence is written down, with its hashes', async ({ page, request }) => {
  await open(page);
  await page.getByRole('button', { name: 'Evidence' }).click();
  const dialog = page.getByRole('dialog', { name: 'Evidence bundle' });
  await expect(dialog).toContainText('33 requests');
  const archive = await dialog.getByRole('link', { name: /Archive/ }).getAttribute('href');
  const body = await (await request.get(`${full()}${archive}`)).text();
  expect(body.split('\n').filter((line) => line.includes('"kind":"request"')).length).toBe(33);
  await accessible(page, '[role=dialog]');
});

test('sessions that share an address are told, and lead on', async ({ page }) => {
  await open(page, NEIGHBOUR, { side: 'related' });
  await expect(page.getByRole('tabpanel')).toContainText('Same address 84.132.84.16');
  await page
    .getByRole('tabpanel')
    .getByRole('link', { name: STORY.slice(0, 12), exact: true })
    .click();
  await expect(page).toHaveURL(new RegExp(`page=sessions/${STORY}`));
  await expect(page.getByRole('heading', { name: 'ada@shop.example' })).toBeVisible();
});

test('parts of other days are chosen', async ({ page }) => {
  await open(page, NEIGHBOUR);
  await expect(told(page)).toHaveText('3 requests');
  const parts = page.getByRole('navigation', { name: 'Parts of the session' });
  await expect(parts.getByRole('button', { name: 'All days' })).toHaveAttribute('aria-pressed', 'true');
  await parts.getByRole('button').last().click();
  await expect(page).toHaveURL(/day=\d{4}-\d\d-\d\d/);
  await expect(told(page)).toHaveText('1 request');
});

test('a session that is not there, or no longer, is told', async ({ page }) => {
  await page.goto(`${full()}/?page=sessions/${'0'.repeat(32)}`);
  await expect(page.getByRole('alert')).toContainText(/no .*session/i);
  await accessible(page);
  await page.goto(`${full()}/?page=sessions/${STORY}&day=2020-01-01`);
  await expect(page.getByRole('heading', { name: 'No part on 2020-01-01' })).toBeVisible();
  await page.getByRole('link', { name: 'All of its days' }).click();
  await expect(rows(page).first()).toBeVisible();
});

test('a filter that leaves nothing says so, and one that is wrong where', async ({ page }) => {
  await page.goto(`${full()}/?${new URLSearchParams({ page: `sessions/${STORY}`, filter: 'status=418' })}`);
  await expect(page.getByText('No request of the session is left')).toBeVisible();
  await accessible(page);
  await page.getByRole('button', { name: 'Show all requests' }).last().click();
  await expect(rows(page).first()).toBeVisible();
  await page.getByRole('combobox', { name: 'Filter' }).fill('statsu=1');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert')).toContainText('there is no field');
});

test('times are those of the zone', async ({ page }) => {
  await open(page, STORY, { tz: 'Asia/Tokyo' });
  await expect(rows(page).first()).toContainText('18:00:00.000');
});

test('all of a session can be done by keys', async ({ page }) => {
  await open(page);
  await page.keyboard.press('j');
  await expect(rows(page).first().locator('[data-toggle]')).toBeFocused();
  await page.keyboard.press('j');
  await expect(rows(page).nth(1).locator('[data-toggle]')).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(panel(page)).toContainText('/users/me');
  await page.keyboard.press('n');
  await expect(panel(page)).toContainText('/products');
  await page.keyboard.press('Escape');
  await expect(panel(page)).toHaveCount(0);
});

test('hostile values are texts in every place of a session', async ({ page }) => {
  const list = await (await page.request.get(`${full()}/api/v1/sessions?filter=host%3D%22hostile.example%22`)).json();
  expect(list.sessions.length).toBe(Object.keys(HOSTILE).length);
  for (const { id } of list.sessions) {
    await open(page, id);
    await expect(page.getByRole('region', { name: 'Endpoints' })).toBeVisible();
    await rows(page).first().locator('[data-toggle]').click();
    await expect(panel(page)).toContainText('request.query.token');
    await fits(page);
    expect(
      await rows(page)
        .first()
        .evaluate((row) => row.getBoundingClientRect().height),
    ).toBe(30);
    expect(await page.locator('main header').evaluate((header) => header.getBoundingClientRect().height)).toBeLessThan(
      260,
    );
  }
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`everybody can read a session: ${colorScheme}`, async ({ page }) => {
    test.slow();
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await open(page, STORY, { filter: 'status>=200', general: 'status=4xx' });
    await expect(page.getByRole('region', { name: 'Endpoints' })).toBeVisible();
    await accessible(page);
    await page.getByRole('tab', { name: /Notes/ }).click();
    await table(page).evaluate((table) => table.scrollTo(0, table.scrollHeight));
    await page.getByRole('button', { name: /13:31:26/ }).click();
    await expect(panel(page)).toContainText("' OR 1=1 --");
    await accessible(page);
  });
}

test('a session works on a narrow page', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 800 });
  await open(page);
  await fits(page);
  await accessible(page);
  await rows(page).first().locator('[data-toggle]').click();
  await expect(panel(page)).toContainText('/login');
  await fits(page);
  await accessible(page, 'aside');
});
