import { defineConfig } from 'vitest/config';

/*
 * Times are for what never ends, not for how fast it is: on a machine four times slower than a developer's, and busy, every test
 * must still come to its own end.
 */
const expectation = { poll: { timeout: 60_000, interval: 20 } };
/** What a property is tried on is the same at every run: a change, not luck, makes a test fail. */
const setupFiles = ['test/support/property-seed.ts'];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          sequence: { groupOrder: 0 },
          include: ['test/unit/**/*.test.ts'],
          setupFiles,
          testTimeout: 60_000,
          expect: expectation,
        },
      },
      {
        test: {
          name: 'infra',
          sequence: { groupOrder: 0 },
          include: ['test/infra/**/*.test.ts'],
          // The toolkit takes seconds to load: once, for all files.
          isolate: false,
          maxWorkers: 1,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: 'simulation',
          sequence: { groupOrder: 1 },
          include: ['test/simulation/**/*.test.ts'],
          setupFiles,
          testTimeout: 600_000,
        },
      },
      {
        test: {
          name: 'integration',
          sequence: { groupOrder: 2 },
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/support/shared-servers.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          expect: expectation,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'least-postgres',
          sequence: { groupOrder: 3 },
          // Where SQL is: what else there is does not see which PostgreSQL it stands on.
          include: [
            'test/integration/persistence/**/*.test.ts',
            'test/integration/api/{query-plans,search,runs}.test.ts',
            'test/integration/runs/{records,retries,steering}.test.ts',
          ],
          globalSetup: ['test/support/servers-of-least-postgres.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          expect: expectation,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'compatibility',
          sequence: { groupOrder: 4 },
          include: ['test/compatibility/**/*.test.ts'],
          globalSetup: ['test/support/shared-servers.ts'],
          testTimeout: 300_000,
          // Bundles, migrates four times, restores.
          hookTimeout: 300_000,
          // The database's users belong to the whole server: a deployment at a time. Bundled once, for all files.
          isolate: false,
          maxWorkers: 1,
        },
      },
      {
        test: {
          name: 'e2e',
          sequence: { groupOrder: 5 },
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          expect: expectation,
          fileParallelism: false,
        },
      },
    ],
  },
});
