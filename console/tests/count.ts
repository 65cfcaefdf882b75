import type { Reporter, TestCase, TestResult } from '@playwright/test/reporter';

/** The last line, as cargo writes it, by which `scripts/test` counts. */
export default class Count implements Reporter {
  private passed = 0;
  private failed = 0;

  onTestEnd(test: TestCase, { status, retry }: TestResult) {
    if (status === test.expectedStatus) this.passed += 1;
    else if (retry === test.retries) this.failed += 1;
  }

  onEnd() {
    process.stdout.write(
      `test result: ${this.failed ? 'FAILED' : 'ok'}. ${this.passed} passed; ${this.failed} failed\n`,
    );
  }
}
