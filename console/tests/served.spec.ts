import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from '@playwright/test';

const full = () => process.env.FULL ?? '';

test('the page may load nothing but its own files', async ({ request }) => {
  const page = await request.get(`${full()}/sessions`);
  const policy = page.headers()['content-security-policy'] ?? '';
  expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
  expect(policy).not.toContain('unsafe');
  expect(page.headers()['cache-control']).toBe('no-store');
});

test('no address of the API, and none that is not there, answers with the page', async ({ request }) => {
  for (const address of ['/api/v1/none', '/api/', '/none', '/assets/none.js']) {
    const answer = await request.get(full() + address);
    expect(answer.status(), address).toBe(404);
    expect(await answer.text()).not.toContain('<div id="root">');
  }
});

test('what the first page loads is at most 450 KB, gzipped', async ({ page }) => {
  const sizes: Promise<number>[] = [];
  page.on('response', (answer) => {
    if (!answer.url().includes('/api/')) sizes.push(answer.body().then((body) => gzipSync(body).length));
  });
  await page.goto(`${full()}/sessions?last=7d`);
  await expect(page.locator('[data-index]').first()).toBeVisible();
  const sum = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  expect(sum).toBeGreaterThan(100_000);
  expect(sum).toBeLessThanOrEqual(450_000);
});

test('the types of the client are those of the server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'types-'));
  try {
    const made = join(folder, 'schema.d.ts');
    execFileSync('node_modules/.bin/openapi-typescript', [`${full()}/api/v1/openapi.json`, '-o', made], {
      stdio: 'ignore',
    });
    // Else: npm run types, with the server running.
    expect(readFileSync(made, 'utf8') === readFileSync('src/api/schema.d.ts', 'utf8')).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
