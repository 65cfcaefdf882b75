import { HOSTILE } from './node';
import { accessible, expect, fits, type Page, test } from './page';

const full = () => process.env.FULL ?? '';
const part = (page: Page, name: string) => page.getByRole('region', { name, exact: true });

async function open(page: Page, search: Record<string, string> = {}) {
  await page.goto(`${full()}/?${new URLSearchParams({ page: 'users', tz: 'UTC', ...search })}`);
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
}

test('a user has all addresses, devices and sessions on one timeline', async ({ page }) => {
  await open(page, { user: 'ada@shop.example' });
  await expect(page.getByText('33 requests in 1 session')).toBeVisible();
  await expect(page.locator('main')).toContainText('14 × 4xx, 1 × 5xx');
  // In the order in which they came.
  await expect(part(page, 'Addresses').getByRole('link')).toHaveText(['84.132.84.16', '203.0.113.77']);
  await expect(part(page, 'Devices').getByRole('link').last()).toHaveText('python-requests/2.32');
  const stay = part(page, 'Addresses').getByRole('img').last();
  await expect(stay).toHaveAccessibleName(/13:00:00 – .* 14:00:00/);
  await part(page, 'Sessions').getByRole('link').click();
  await expect(page.getByRole('heading', { name: 'ada@shop.example' })).toBeVisible();
  await page.getByRole('link', { name: 'All of this user' }).click();
  await expect(part(page, 'Addresses')).toBeVisible();
});

test('an address of a user leads to the sessions with it', async ({ page }) => {
  await open(page, { user: 'ada@shop.example', tz: 'Asia/Tokyo' });
  await expect(part(page, 'Addresses').getByRole('img').last()).toHaveAccessibleName(/22:00:00/);
  await part(page, 'Addresses').getByRole('link').last().click();
  await expect(page.getByRole('combobox', { name: 'Filter' })).toHaveValue(
    'user="ada@shop.example" AND ip="203.0.113.77"',
  );
  await expect(page.locator('[data-index]')).toHaveCount(1);
});

test('users are listed as the API counts them, and any of them is found by name', async ({ page }) => {
  const query = new URLSearchParams({ group_by: 'user', filter: 'user:*', noise: 'show', top: '1' });
  const { groups, group_count } = await (await page.request.get(`${full()}/api/v1/stats?${query}`)).json();
  await open(page);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(`Users ${group_count}`);
  await expect(part(page, 'With the most requests').getByRole('row').nth(1)).toContainText(groups[0].group.user);
  await page.getByRole('row').nth(1).getByRole('link').click();
  await expect(part(page, 'Addresses')).toBeVisible();
  await page.getByRole('textbox', { name: 'User', exact: true }).fill('nobody');
  await page.keyboard.press('Enter');
  await expect(page.getByText('No request names this user in this time.')).toBeVisible();
  await page.goBack();
  await expect(page.getByRole('heading', { name: groups[0].group.user })).toBeVisible();
});

test('the menu of a user leads to all of the user', async ({ page }) => {
  await page.goto(`${full()}/sessions?last=7d&filter=${encodeURIComponent('user="ada@shop.example"')}`);
  await page.getByRole('button', { name: 'ada@shop.example', exact: true }).first().click();
  await page.getByRole('menuitem', { name: 'All of this user' }).click();
  await expect(page).toHaveURL(/page=users&user=ada/);
});

test('no users and no answer are told', async ({ page }) => {
  await page.goto(`${process.env.EMPTY}/?page=users`);
  await expect(page.getByRole('heading', { name: 'No request names a user' })).toBeVisible();
  await accessible(page);
  await page.route('**/api/v1/stats?**', (route) =>
    route.fulfill({ status: 500, json: { title: 'It failed', status: 500 } }),
  );
  await page.goto(`${full()}/?page=users&user=ada@shop.example`);
  await expect(page.getByRole('alert').first()).toContainText('It failed');
  await page.unroute('**/api/v1/stats?**');
  await page.getByRole('button', { name: 'Try again' }).first().click();
  await expect(part(page, 'Addresses')).toBeVisible();
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`everybody can read a user, and values steer nothing: ${colorScheme}`, async ({ page }) => {
    test.slow();
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await open(page);
    await accessible(page);
    await open(page, { user: 'ada@shop.example' });
    await expect(part(page, 'Devices')).toBeVisible();
    await accessible(page);
    await page.setViewportSize({ width: 390, height: 800 });
    for (const value of [HOSTILE.markup, HOSTILE.control]) {
      await open(page, { user: value });
      await expect(part(page, 'Devices')).toBeVisible();
      await fits(page);
    }
    await accessible(page);
  });
}
