import { readFileSync } from 'node:fs';
import { AxeBuilder } from '@axe-core/playwright';
import { test as base, expect, type Locator, type Page } from '@playwright/test';

export { expect, type Page };

/** A test that fails, too, on what the browser complains of: a policy that was broken, a script that failed, a dialog. */
export const test = base.extend<{ quiet: undefined }>({
  quiet: [
    async ({ page }, use) => {
      const complaints: string[] = [];
      page.on('pageerror', (error) => complaints.push(error.message));
      page.on('dialog', (dialog) => complaints.push(`a dialog: ${dialog.message()}`));
      page.on('console', (line) => {
        const known = line.text().startsWith('Failed to load resource');
        if (line.type() === 'error' && !known) complaints.push(line.text());
      });
      page.on('request', (request) => {
        if (!request.url().startsWith('http://127.0.0.1:')) complaints.push(`asked elsewhere: ${request.url()}`);
      });
      await use(undefined);
      expect(complaints).toEqual([]);
    },
    { auto: true },
  ],
});

/** The lines of the CSV that the page gives. */
export async function csv(page: Page) {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'CSV' }).click(),
  ]);
  return readFileSync(await download.path(), 'utf8')
    .trim()
    .split('\r\n');
}

/** Follows what arrives, and waits until the server would tell. */
export async function follow(page: Page) {
  const stream = page.waitForResponse((answer) => answer.url().includes('/stream'));
  await page.getByRole('button', { name: 'Live', exact: true }).click();
  await stream;
}

/** Drags over a drawing, from one share of its width to another. */
export async function dragOver(page: Page, drawing: Locator, from: number, to: number) {
  const drawn = drawing.locator('.u-over');
  await expect(drawn).toBeVisible();
  const box = await drawn.boundingBox();
  if (!box) throw new Error('nothing is drawn');
  await page.mouse.move(box.x + box.width * from, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * to, box.y + 20, { steps: 5 });
  await page.mouse.up();
}

/** Nothing is wider than the page. */
export async function fits(page: Page) {
  const beyond = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(beyond).toBeLessThanOrEqual(0);
}

/** No violation of WCAG 2.2 AA on the page, or in a part of it. */
export async function accessible(page: Page, part = 'html') {
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
  // There are no frames, and nobody reads what passes: telling of both takes most of the time.
  const builder = new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ['violations'] });
  const { violations } = await builder.include(part).withTags(tags).analyze();
  expect(violations.map(({ id, nodes }) => ({ id, at: nodes.map(({ html }) => html.slice(0, 200)) }))).toEqual([]);
}
