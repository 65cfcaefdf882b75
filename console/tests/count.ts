import type { Reporter, TestCase, TestResult } from '@playwright/test/reporter';

/** The last line, as cargo writes it, by which `scripts/test` counts. */
export default class Count implements Reporter {
  private passed = 0;
  private failed = 0;

  onTestEnd(test: TestCase, { status }: TestResult) {
    if (status === test.expectedStatus) this.passed += 1;
    else this.failed += 1;
  }

  onEnd() {
    process.stdout.write(
      `test result: ${this.failed ? 'FAILED' : 'ok'}. ${this.passed} passed; ${this.failed} failed\n`,
    );
  }
}
