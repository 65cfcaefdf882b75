import { event, HOSTILE, send } from './node';
import { accessible, csv, expect, fits, follow, type Page, test } from './page';

const full = () => process.env.FULL ?? '';
const told = (page: Page) => page.getByRole('status').filter({ hasText: 'call' });
const rows = (page: Page) => page.getByRole('table', { name: 'Calls' }).locator('[data-index]');
const panel = (page: Page) => page.getByRole('complementary', { name: 'Request' });
const TOOLS = 'mcp.server="tools.example/mcp"';

async function open(page: Page, search: Record<string, string> = {}) {
  await page.goto(`${full()}/?${new URLSearchParams({ page: 'mcp', last: '7d', tz: 'UTC', ...search })}`);
  await expect(rows(page).first()).toBeVisible();
}

async function count(page: Page, filter: string) {
  const answer = await page.request.get(`${full()}/api/v1/requests/count?filter=${encodeURIComponent(filter)}`);
  return new Intl.NumberFormat('en-GB').format((await answer.json()).count);
}

test('calls are filtered by server, method, tool, error, user and role', async ({ page }) => {
  await open(page);
  await expect(told(page)).toContainText(`${await count(page, 'mcp.method:*')} calls`);
  for (const [part, value, term] of [
    ['Servers', 'agents.example/mcp', 'mcp.server="agents.example/mcp"'],
    ['Methods', 'tools/call', 'mcp.method="tools/call"'],
    ['Tools, prompts, resources', 'get_order', 'mcp.primitive="get_order"'],
    ['Errors', '-32603', 'mcp.error="-32603"'],
    ['Users', 'agent-7', 'user="agent-7"'],
    ['Roles', 'assistant', 'role="assistant"'],
  ] as const) {
    await page
      .getByRole('region', { name: part, exact: true })
      .getByRole('button', { name: value, exact: true })
      .click();
    await page.getByRole('menuitem', { name: 'Only with this' }).click();
    await expect(told(page)).toContainText(`${await count(page, term)} calls`);
    await page.goBack();
    await expect(told(page)).toContainText(`${await count(page, 'mcp.method:*')} calls`);
  }
  await page.getByRole('checkbox', { name: 'Only errors' }).check();
  await expect(told(page)).toContainText(`${await count(page, 'mcp.error:*')} calls`);
  await page.getByRole('checkbox', { name: 'Only errors' }).uncheck();
  await expect(page).not.toHaveURL(/filter=/);
});

test('a call is shown with method, tool and arguments, and leads to its session', async ({ page, context }) => {
  await open(page, { filter: `${TOOLS} AND mcp.primitive="find_orders"` });
  await page.keyboard.press('j');
  await expect(rows(page).first().locator('[data-toggle]')).toBeFocused();
  await page.keyboard.press('Enter');
  for (const text of ['tools/call', 'find_orders', '"customer": {', 'agent-7']) {
    await expect(panel(page)).toContainText(text);
  }
  const other = await context.newPage();
  await other.goto(page.url());
  await expect(panel(other)).toContainText('"customer": {');
  await page.getByRole('link', { name: 'Its session' }).click();
  await expect(page.getByRole('heading', { name: 'agent-7' })).toBeVisible();
});

test('the CSV holds the calls that are shown', async ({ page }) => {
  await open(page, { filter: `${TOOLS} AND mcp.error="-32602"` });
  const lines = await csv(page);
  expect(lines.length - 1).toBe(1);
  expect(lines[1]).toContain('refund');
});

test('calls and errors grow while they are followed', async ({ page }) => {
  const name = `live-${Date.now()}`;
  const call = (error: string | null) =>
    send(process.env.INGEST ?? '', [event({ mcp: ['tools/call', name, '', error] })]);
  const filter = `mcp.primitive="${name}"`;
  await call(null);
  await expect.poll(() => count(page, filter)).toBe('1');
  await open(page, { last: '1h', filter });
  await expect(page.getByRole('region', { name: 'Errors' })).not.toContainText(name);
  await follow(page);
  await call(name);
  await expect(rows(page)).toHaveCount(2);
  await expect(told(page)).toHaveText('2 calls');
  await expect(page.getByRole('region', { name: 'Errors' })).toContainText(name);
});

test('no calls, a wrong filter and no answer are told', async ({ page }) => {
  await page.goto(`${process.env.EMPTY}/?page=mcp`);
  await expect(page.getByRole('heading', { name: 'No call of an AI agent in this time' })).toBeVisible();
  await accessible(page);
  await page.goto(`${full()}/?page=mcp&filter=${encodeURIComponent('status=200 OR statsu=1')}`);
  await expect(page.getByRole('alert').locator('mark')).toHaveText('statsu');
  await page.route('**/api/v1/requests?**', (route) =>
    route.fulfill({ status: 500, json: { title: 'It failed', status: 500 } }),
  );
  await page.goto(`${full()}/?page=mcp`);
  await expect(page.getByRole('alert').first()).toContainText('It failed');
  await page.unroute('**/api/v1/requests?**');
  await page.getByRole('button', { name: 'Try again' }).first().click();
  await expect(page.getByRole('alert')).toHaveCount(0);
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`everybody can read the calls, and values steer nothing: ${colorScheme}`, async ({ page }) => {
    test.slow();
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await open(page, { filter: TOOLS });
    await expect(rows(page)).toHaveCount(3 + Object.keys(HOSTILE).length);
    await expect(page.getByRole('region', { name: 'Roles' }).getByRole('button')).toBeVisible();
    expect(
      await rows(page)
        .first()
        .evaluate((row) => row.getBoundingClientRect().height),
    ).toBe(30);
    await fits(page);
    await accessible(page);
    await page.setViewportSize({ width: 390, height: 800 });
    await rows(page).first().locator('[data-toggle]').click();
    await expect(panel(page)).toContainText('Call of an AI agent');
    await fits(page);
    await accessible(page, 'aside');
  });
}
