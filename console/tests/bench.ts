import { expect, type Page, test } from '@playwright/test';
import { BIG } from './node';

const full = () => process.env.FULL ?? '';
const RUNS = 5;
/** So long one scrolls, at most. */
const LONGEST = 45_000;

test.describe.configure({ timeout: 600_000 });

/** Collects tasks of the page that keep it from answering for 50 ms or more. */
async function watched(page: Page) {
  await page.addInitScript(() => {
    const tasks: number[] = [];
    Object.assign(window, { tasks });
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) tasks.push(Math.round(duration));
    }).observe({ type: 'longtask', buffered: true });
  });
}

/** Scrolls down a screen each frame until the row is there, and tells how long and what the longest tasks were meanwhile. */
async function scrolled(page: Page, table: string, last: number) {
  const place = page.getByRole('table', { name: table });
  await expect(place.locator('[data-index]').first()).toBeVisible();
  await page.waitForLoadState('networkidle');
  return place.evaluate(
    async (scroller, { last, longest }) => {
      const told = window as unknown as { tasks: number[] };
      told.tasks.length = 0;
      const begun = performance.now();
      let [steps, index] = [0, 0];
      while (index < last && performance.now() - begun < longest) {
        scroller.scrollBy(0, 900);
        await new Promise(requestAnimationFrame);
        steps += 1;
        const rows = scroller.querySelectorAll<HTMLElement>('[data-index]');
        index = Number(rows[rows.length - 1]?.dataset.index);
      }
      const tasks = [...told.tasks].sort((one, other) => other - one);
      return { seconds: (performance.now() - begun) / 1000, steps, index, tasks };
    },
    { last, longest: LONGEST },
  );
}

const print = (what: string, told: string) => process.stdout.write(`${what.padEnd(36)} ${told}\n`);

function printScroll(what: string, { seconds, steps, index, tasks }: Awaited<ReturnType<typeof scrolled>>) {
  const over = tasks.filter((ms) => ms > 100).length;
  print(
    what,
    `to row ${index} in ${seconds.toFixed(1)} s, ${steps} steps; longest task ${tasks[0] ?? 'under 50'} ms, ${over} over 100 ms`,
  );
}

test('first paint of the list', async ({ browser }) => {
  const times: { paint: number; rows: number }[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const page = await browser.newPage();
    await page.goto(`${full()}/sessions?last=7d`);
    await expect(page.locator('[data-index]').first()).toBeVisible();
    times.push(
      await page.evaluate(() => ({
        paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Number.NaN,
        rows: Math.max(
          ...performance
            .getEntriesByType('resource')
            .filter(({ name }) => /\/sessions\?/.test(name))
            .map((entry) => (entry as PerformanceResourceTiming).responseEnd),
        ),
      })),
    );
    await page.close();
  }
  const middle = (of: (one: (typeof times)[number]) => number) =>
    Math.round(times.map(of).sort((one, other) => one - other)[Math.floor(RUNS / 2)] ?? Number.NaN);
  print('first paint of Sessions', `${middle(({ paint }) => paint)} ms, median of ${RUNS}, each with an empty cache`);
  print('its sessions are there', `${middle(({ rows }) => rows)} ms`);
});

test('the list of 100,000 sessions', async ({ page }) => {
  await watched(page);
  await page.goto(`${full()}/sessions?last=7d&noise=show`);
  const { count } = await (await page.request.get(`${full()}/api/v1/sessions/count?noise=show`)).json();
  printScroll(`a list of ${count} sessions`, await scrolled(page, 'Sessions', count - 1));
});

test('a session of 50,000 requests', async ({ page }) => {
  await watched(page);
  await page.goto(`${full()}/?page=sessions/${BIG}&each=1`);
  await expect(page.getByRole('img', { name: /over time/ }).locator('.u-over')).toBeVisible();
  printScroll('a session of 50000 requests', await scrolled(page, 'Requests', 49_999));
});
