import type { TestProject } from 'vitest/node';
import { LEAST_POSTGRES } from '../../shared/persistence/least-postgres.ts';
import { startServers } from './shared-servers.ts';

/** As the shared ones, with the oldest PostgreSQL that is supported. */
export default function startServersOfLeastPostgres(project: TestProject): Promise<() => Promise<void>> {
  return startServers(project, { major: LEAST_POSTGRES });
}
