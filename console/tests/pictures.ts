import { expect, test } from '@playwright/test';

/** The pictures of docs/console.md. */
const PICTURES = [
  { name: 'sessions', search: { order: 'requests desc' }, look: false, colorScheme: 'light' },
  { name: 'sessions-look', search: { filter: 'status=5xx AND host="shop.example"' }, look: true, colorScheme: 'dark' },
  { name: 'sessions-narrow', search: { order: 'requests desc' }, look: false, colorScheme: 'light', width: 390 },
] as const;

for (const { name, search, look, colorScheme, ...size } of PICTURES) {
  test(name, async ({ page }) => {
    await page.setViewportSize({ width: 'width' in size ? size.width : 1280, height: 720 });
    await page.emulateMedia({ colorScheme });
    const query = new URLSearchParams({ last: '7d', tz: 'UTC', ...search });
    await page.goto(`${process.env.FULL}/sessions?${query}`);
    const rows = page.locator('[data-index]');
    await expect(rows.first()).toBeVisible();
    if (look) {
      await rows.nth(1).locator('[data-toggle]').click();
      await expect(page.getByRole('heading', { name: 'Endpoints' })).toBeVisible();
    }
    await page.waitForLoadState('networkidle');
    await page.screenshot({ path: `../docs/console/${name}.png` });
  });
}
