import { reports, send } from './node';
import { accessible, expect, fits, type Page, test } from './page';

const full = () => process.env.FULL ?? '';
const node = (page: Page, name: string) => page.getByRole('region', { name: `Node ${name}`, exact: true });

async function open(page: Page) {
  await send(process.env.INGEST ?? '', reports(), 'wallarm.node');
  await page.goto(`${full()}/?page=nodes&tz=UTC`);
  await expect(node(page, 'edge-2')).toBeVisible();
}

test('each node tells its workers, versions, queue, spool and what was not acknowledged', async ({ page }) => {
  await open(page);
  const edge = node(page, 'edge-1');
  await expect(edge).toContainText('module 0.1.0 · nginx 1.22.1');
  const worker = edge.getByRole('row').filter({ hasText: '411' });
  for (const text of ['none', '12 of 8,192', '90.0 kB of 67.1 MB', '40 in 1 chunk', '0 B of 1.1 GB', '184,220']) {
    await expect(worker).toContainText(text);
  }
  await edge.getByRole('link', { name: 'Its sessions' }).click();
  await expect(page).toHaveURL(/filter=node%3D%22edge-1%22/);
});

test('what is lost is told first, with the reason and what helps', async ({ page }) => {
  await open(page);
  await expect(page.getByRole('status')).toContainText(/requests lost on \d nodes/);
  const edge = node(page, 'edge-2');
  await expect(edge).toContainText('1,841 requests lost: the queue was full');
  await expect(edge).toContainText('Raise wallarm_session_queue');
  await expect(edge).toContainText('The queue is 96 % full in worker 512');
  await expect(edge).toContainText('1.1 GB wait in the spool');
});

test('what is lost while one looks is told apart', async ({ page }) => {
  await open(page);
  await expect(node(page, 'edge-2')).not.toContainText('while you look');
  const [later] = reports().filter(({ pid }) => pid === 512);
  await send(process.env.INGEST ?? '', [{ ...later, drops: { queue_full: 1900 }, next_seq: 185_000 }], 'wallarm.node');
  await expect(node(page, 'edge-2')).toContainText('1,900 requests lost');
  await expect(node(page, 'edge-2')).toContainText('of them while you look');
});

test('silent nodes, silent workers and different secrets are told', async ({ page }) => {
  // Silent since ten minutes ago: nobody waits that long here.
  await page.route('**/api/v1/nodes', async (route) => {
    const answer = await route.fetch();
    const told = await answer.json();
    for (const { name, workers } of told.nodes) if (name === 'edge-4') workers[0].age_ms = 600_000;
    await route.fulfill({ response: answer, json: told });
  });
  await open(page);
  await expect(node(page, 'edge-4')).toContainText('Silent for 10 min');
  await expect(page.getByText('Nodes have different secrets')).toBeVisible();
  await expect(page.getByText(/edge-3 \(00c0ffee\)/)).toBeVisible();
  await page.getByRole('checkbox', { name: /without a report/ }).check();
  await expect(page).toHaveURL(/silent=1/);
});

test('a server to which no node has reported tells how to find out why', async ({ page }) => {
  await page.goto(`${process.env.EMPTY}/?page=nodes`);
  await expect(page.getByRole('heading', { name: 'No node has reported yet' })).toBeVisible();
  await accessible(page);
});

test('nodes that cannot be asked are told, with a way to try again', async ({ page }) => {
  await page.route('**/api/v1/nodes', (route) =>
    route.fulfill({ status: 500, json: { title: 'It failed', status: 500 } }),
  );
  await page.goto(`${full()}/?page=nodes`);
  await expect(page.getByRole('alert')).toContainText('It failed');
  await page.unroute('**/api/v1/nodes');
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByRole('heading', { name: 'Nodes', exact: true })).toBeVisible();
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`everybody can read the nodes, and names steer nothing: ${colorScheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await open(page);
    await expect(page.getByRole('heading', { name: '\\u{202e}elif.exe' })).toBeVisible();
    await fits(page);
    await accessible(page);
    await page.setViewportSize({ width: 390, height: 800 });
    await fits(page);
    await accessible(page);
  });
}
