import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', sequence: { groupOrder: 0 }, include: ['test/unit/**/*.test.ts'] } },
      {
        test: {
          name: 'infra',
          sequence: { groupOrder: 0 },
          include: ['test/infra/**/*.test.ts'],
          // The toolkit takes seconds to load: once, for all files.
          isolate: false,
          maxWorkers: 1,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'simulation',
          sequence: { groupOrder: 1 },
          include: ['test/simulation/**/*.test.ts'],
          testTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'integration',
          sequence: { groupOrder: 2 },
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/support/shared-servers.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'compatibility',
          sequence: { groupOrder: 3 },
          include: ['test/compatibility/**/*.test.ts'],
          globalSetup: ['test/support/shared-servers.ts'],
          testTimeout: 60_000,
          // Bundles, migrates four times, restores.
          hookTimeout: 120_000,
          // The database's users belong to the whole server: a deployment at a time. Bundled once, for all files.
          isolate: false,
          maxWorkers: 1,
        },
      },
      {
        test: {
          name: 'e2e',
          sequence: { groupOrder: 4 },
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
