import { accessible, expect, test } from './page';

const full = () => process.env.FULL ?? '';

test('a question that takes long tells how far it is, and is cancelled', async ({ page }) => {
  // None takes long here: the answer is held back, and the server asked to tell of it as it would.
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let asked = '';
  await page.route('**/api/v1/sessions?**', async (route) => {
    asked ||= new URL(route.request().url()).searchParams.get('query_id') ?? '';
    await held;
    const problem = { title: 'The question was cancelled', detail: 'somebody cancelled it', status: 409 };
    await route.fulfill({ status: 409, json: problem });
  });
  await page.route('**/api/v1/queries', (route) => {
    const since = new Date().toISOString();
    const other = { query_id: 'other-1', asked: '/sessions', since, days: 7, days_done: 6, rows: 0 };
    const own = { query_id: asked, asked: '/sessions', since, days: 7, days_done: 3, rows: 0 };
    return route.fulfill({ json: { queries: [other, own] } });
  });
  const cancelled: string[] = [];
  await page.route('**/api/v1/queries/*', async (route) => {
    cancelled.push(new URL(route.request().url()).pathname.split('/').pop() ?? '');
    await route.fulfill({ status: 204 });
    release();
  });
  await page.goto(`${full()}/sessions?last=7d`);
  const told = page.getByRole('status', { name: 'Under way' });
  await expect(told).toContainText('1 question under way, 3 of 7 days looked at');
  await accessible(page, '[aria-label="Under way"]');
  await told.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByRole('alert')).toContainText('The question was cancelled');
  await expect(told).toHaveCount(0);
  expect(cancelled).toEqual([asked]);
  expect(asked).toMatch(/^console-/);
});

test('questions have ids by which the server knows them', async ({ page }) => {
  const [answer] = await Promise.all([
    page.waitForResponse((answer) => answer.url().includes('/api/v1/sessions?')),
    page.goto(`${full()}/sessions?last=7d`),
  ]);
  expect(new URL(answer.url()).searchParams.get('query_id')).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
  expect(answer.status()).toBe(200);
  await expect(page.locator('[data-index]').first()).toBeVisible();
});
