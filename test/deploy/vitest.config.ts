import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** `npm run test:deploy`: apart from `npm test`, since it needs Python, and a package of PyPI. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/deploy/**/*.test.ts'],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 60_000 } },
    fileParallelism: false,
    // kafkajs sets a timer to a time that has passed; Node 24 says so once in each process.
    execArgv: ['--disable-warning=TimeoutNegativeWarning'],
    env: { KAFKAJS_NO_PARTITIONER_WARNING: '1' },
  },
});
