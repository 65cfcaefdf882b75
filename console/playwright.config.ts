import { defineConfig } from '@playwright/test';

export default defineConfig({
  testDir: 'tests',
  // PICTURES makes those of docs/console.md, BENCH is scripts/bench/console: they test nothing.
  testMatch: process.env.PICTURES ? '**/pictures.ts' : process.env.BENCH ? '**/bench.ts' : '**/*.spec.ts',
  globalSetup: './tests/servers.ts',
  // One after the other: servers and browser share two cores.
  workers: 1,
  // On a busy machine a browser may be late; the list tells which test was tried again.
  retries: process.env.BENCH ? 0 : 2,
  timeout: 30_000,
  expect: { timeout: 10_000 },
  reporter: [['list'], ['./tests/count.ts']],
  outputDir: 'test-results',
  use: {
    // Debian's: none is downloaded.
    launchOptions: { executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium' },
    viewport: { width: 1280, height: 800 },
    timezoneId: 'UTC',
    locale: 'en-GB',
  },
});
