import type { Request } from '../src/api/client';
import { aligned, stepsOf } from '../src/beside/align';
import { Folding } from '../src/session/fold';
import { LIKE_STORY, STORY } from './node';
import { accessible, expect, fits, type Page, test } from './page';

const full = () => process.env.FULL ?? '';
const steps = (page: Page) => page.getByRole('table', { name: 'Steps' });
const facts = (page: Page, name: RegExp) =>
  page.getByRole('table', { name: 'What is known of both' }).getByRole('row', { name });
const told = (page: Page) => page.locator('main').getByRole('status');

async function open(page: Page, search: Record<string, string> = {}) {
  const both = { page: 'beside', left: STORY, right: LIKE_STORY, tz: 'UTC', ...search };
  await page.goto(`${full()}/?${new URLSearchParams(both)}`);
  await expect(steps(page).locator('[data-index]').first()).toBeVisible();
}

test('two rows are chosen by keys and seen side by side, and Back shows them chosen', async ({ page, context }) => {
  const filter = 'user IN ("ada@shop.example","bob@shop.example")';
  await page.goto(`${full()}/sessions?${new URLSearchParams({ last: '7d', tz: 'UTC', filter })}`);
  const chosen = page.getByRole('checkbox', { name: /Choose the session/, checked: true });
  await expect(page.locator('[data-index]')).toHaveCount(2);
  for (const row of [0, 1]) {
    await page.keyboard.press('j');
    await expect(page.locator(`[data-index="${row}"] [data-toggle]`)).toBeFocused();
    await page.keyboard.press('x');
    await expect(chosen).toHaveCount(row + 1);
  }
  await page.keyboard.press('c');
  await expect(told(page)).toContainText('5 steps in both');
  await page.keyboard.press('j');
  await expect(steps(page).getByRole('link').first()).toBeFocused();
  const other = await context.newPage();
  await other.goto(page.url());
  await expect(told(other)).toHaveText((await told(page).textContent()) ?? '');
  await page.goBack();
  await expect(chosen).toHaveCount(2);
  await page.getByRole('button', { name: 'Choose none' }).click();
  await expect(chosen).toHaveCount(0);
  await expect(page).not.toHaveURL(/chosen/);
});

test('equal steps stand beside each other, and each difference is told', async ({ page }) => {
  await open(page);
  await expect(told(page)).toHaveText(
    '5 steps in both, 2 of them with other answers or numbers; 7 only on the left, 1 only on the right',
  );
  const row = (name: RegExp) => steps(page).getByRole('row', { name });
  await expect(row(/POST \/login.*POST \/login/)).toContainText('in both, answered otherwise');
  await expect(row(/\/users\/me.*\/users\/me/)).toContainText('the same');
  await expect(row(/\/orders\/70412.*×1.*\/orders\/[^\d ]+.*×5/)).toContainText('in both, another number of times');
  await expect(row(/\/cart\/items/)).toContainText('only on the left');
  await expect(row(/\/logout/)).toContainText('only on the right');
  await expect(steps(page)).toContainText('After a pause of 4 h 28 min');
  await expect(steps(page)).toContainText('Other address 203.0.113.77');
  await page.getByRole('checkbox', { name: 'Only what differs' }).check();
  await expect(page).toHaveURL(/only=1/);
  await expect(row(/\/reports\/export/)).toHaveCount(0);
  await expect(row(/\/cart\/items/)).toBeVisible();
  await expect(steps(page)).toContainText('Other address 203.0.113.77');
});

test('what is known of both is told, and whether it is the same', async ({ page }) => {
  await open(page);
  await expect(facts(page, /^User /)).toHaveText(/ada@shop.example.*different.*bob@shop.example/);
  await expect(facts(page, /^Role /)).toHaveText(/customer.*the same.*customer/);
  await expect(facts(page, /^User-Agent /)).toHaveText(/python.*partly the same.*Shop/);
  await expect(facts(page, /^Attacks /)).toHaveText(/sqli.*different.*none/);
  await page.getByRole('link', { name: 'Open the session on the right' }).click();
  await expect(page.getByRole('heading', { name: 'bob@shop.example' })).toBeVisible();
});

test('a step leads to its request, and a related session is seen side by side', async ({ page }) => {
  await open(page);
  await steps(page).getByRole('link').first().click();
  await expect(page.getByRole('complementary', { name: 'Request' })).toContainText('/login');
  await page.keyboard.press('Escape');
  await page.getByRole('tab', { name: 'Related' }).click();
  await page
    .getByRole('link', { name: /^Side by side with/ })
    .first()
    .click();
  await expect(told(page)).toContainText('only on the left');
});

test('one that is missing, or not there any more, is told', async ({ page }) => {
  await page.goto(`${full()}/?page=beside&left=${STORY}`);
  await expect(page.getByText('Choose two sessions in the list')).toBeVisible();
  await page.goto(`${full()}/?page=beside&left=${STORY}&right=${'0'.repeat(32)}`);
  await expect(page.getByRole('alert')).toContainText(/no .*session/i);
  const day = new Date(Date.now() - 3 * 86_400_000).toISOString().slice(0, 10);
  for (const [other, text] of [
    ['2020-01-01', 'is no longer kept'],
    [day, `on ${day}`],
  ] as const) {
    await page.goto(`${full()}/?page=beside&left=${STORY}&right=${LIKE_STORY}.${other}`);
    await expect(page.getByRole('alert')).toContainText(text);
  }
  await accessible(page);
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`everybody can read two sessions, and values steer nothing: ${colorScheme}`, async ({ page }) => {
    test.slow();
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await open(page);
    await accessible(page);
    await page.setViewportSize({ width: 390, height: 800 });
    await fits(page);
    await accessible(page);
    const list = await page.request.get(`${full()}/api/v1/sessions?filter=host%3D%22hostile.example%22`);
    const ids = (await list.json()).sessions.map(({ id }: { id: string }) => id);
    for (const [left, right] of [ids.slice(0, 2), ids.slice(2, 4)]) {
      await open(page, { left, right });
      await fits(page);
      await page.setViewportSize({ width: 1280, height: 800 });
      await fits(page);
    }
    await accessible(page);
  });
}

/** Calls of an endpoint as folded lines tell them, so many with each status. */
const calls = (...statuses: number[]) =>
  stepsOf(
    new Folding([], true, 2).linesOf(
      statuses.map((status, n) => ({ id: `${n}`, endpoint: 'GET a/b', path: '/b', status, ts: '' }) as Request),
    ),
  );

test('two equal calls are one step, and of several calls the alike ones stand beside each other', () => {
  expect(calls(200, 200, 401).map(({ calls }) => calls)).toEqual([2, 1]);
  const how = (left: number[], right: number[]) => aligned(calls(...left), calls(...right)).map(({ how }) => how);
  expect(how([200], [401, 200])).toEqual(['right', 'same']);
  expect(how([200, 200], [200, 200, 200, 200])).toEqual(['other']);
  expect(how([401, 200], [401])).toEqual(['same', 'left']);
});
