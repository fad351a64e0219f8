import { setTimeout as sleep } from 'node:timers/promises';
import { v7 as uuidv7 } from 'uuid';
import {
  checkAgentSecret,
  encryptSecret,
  generateSecret,
  isSameSecret,
} from '../../shared/agents/secrets.ts';
import { createChangeRun } from '../../shared/application/change-run.ts';
import { createDryRun } from '../../shared/application/dry-run/dry-run.ts';
import { createFindMissingNames } from '../../shared/application/find-missing-names.ts';
import { createManageAgents } from '../../shared/application/manage-agents.ts';
import { createCreateApiKey } from '../../shared/application/manage-api-keys.ts';
import { createSetWorkflowPaused } from '../../shared/application/pause-workflow.ts';
import { createFindPlan } from '../../shared/application/plan-cache.ts';
import { createRegisterWorkflow } from '../../shared/application/register-workflow.ts';
import { generateApiKey } from '../../shared/auth/api-key.ts';
import { createAuthenticate } from '../../shared/auth/authenticate.ts';
import { createJwtVerifier } from '../../shared/auth/jwt.ts';
import { createRateLimiter } from '../../shared/auth/rate-limiter.ts';
import { checkAddressOf, connectAgentRegistry } from '../../shared/composition/agent-services.ts';
import { kafkaOptionsOf } from '../../shared/composition/connections.ts';
import type { EngineServices } from '../../shared/composition/engine-services.ts';
import type { Environment } from '../../shared/config/environment.ts';
import { eventSourcesOf } from '../../shared/config/event-sources.ts';
import { limits } from '../../shared/config/limits.ts';
import { readConsumerLag } from '../../shared/kafka/consumer-lag.ts';
import { createAgentCalls } from '../../shared/persistence/agent-calls.ts';
import { createAgentExamples } from '../../shared/persistence/agent-examples.ts';
import { createAgents } from '../../shared/persistence/agents.ts';
import { createApiKeys } from '../../shared/persistence/api-keys.ts';
import { createAuditLog } from '../../shared/persistence/audit-log.ts';
import { readBacklog, readBacklogSizes } from '../../shared/persistence/backlog.ts';
import { readRunDurations } from '../../shared/persistence/closed-run-counts.ts';
import { readDeadLetterCounts } from '../../shared/persistence/dead-letter-counts.ts';
import { createExecutionQueries } from '../../shared/persistence/execution-queries.ts';
import { createKnownNames } from '../../shared/persistence/known-names.ts';
import { limitTime } from '../../shared/persistence/limit-time.ts';
import { loadVersions } from '../../shared/persistence/load-versions.ts';
import { createNodeQueries } from '../../shared/persistence/node-queries.ts';
import { createRateLimits } from '../../shared/persistence/rate-limits.ts';
import { createRunBatches } from '../../shared/persistence/run-batches.ts';
import { createRunQueries } from '../../shared/persistence/run-queries.ts';
import { createWorkflowGrants } from '../../shared/persistence/workflow-grants.ts';
import { createWorkflowMetrics } from '../../shared/persistence/workflow-metrics.ts';
import { createWorkflows } from '../../shared/persistence/workflows.ts';
import type { AaaLog } from '../../shared/telemetry/aaa-log.ts';
import { createApiDocuments } from './documents/api-documents.ts';
import { allRoutes } from './routes/all-routes.ts';
import type { ApiServices, ErrorLog } from './services.ts';

type Engine = Pick<
  EngineServices,
  'database' | 'producer' | 'tokens' | 'clock' | 'plans' | 'processBatch' | 'startRun'
>;
type Settings = Pick<
  Environment,
  | 'authMode'
  | 'jwt'
  | 'jwtRateLimit'
  | 'corsAllowedOrigins'
  | 'secretKey'
  | 'agentRegistryUrl'
  | 'agentAllowedCidrs'
  | 'userAgentAllowedCidrs'
  | 'functionName'
  | 'publicUrl'
  | 'kafkaBrokers'
  | 'kafkaAuth'
  | 'kafkaGroupId'
  | 'awsRegion'
  | 'runLimits'
  | 'topics'
>;

const KAFKA_CHECK_TIMEOUT_MS = 1_000;
const CONSUMER_LAG_TIMEOUT_MS = 5_000;

export function createApiServices(
  engine: Engine,
  settings: Settings,
  log: ErrorLog,
  aaa: AaaLog,
): ApiServices {
  const { database, producer, tokens, clock, plans, processBatch, startRun } = engine;
  const { authMode, jwt, jwtRateLimit, corsAllowedOrigins, secretKey, publicUrl } = settings;
  const kafka = kafkaOptionsOf(settings, 'stepline-api');
  const consumers = eventSourcesOf(settings.topics, settings.kafkaGroupId).map(
    ({ consumerGroupId: groupId, topic }) => ({ groupId, topic }),
  );
  const searches = limitTime(database, limits.maxSearchMs);
  const workflows = createWorkflows(database);
  const agents = createAgents(database);
  const apiKeys = createApiKeys(database);
  const runBatches = createRunBatches(database, searches);
  const changeRun = createChangeRun(processBatch, createAgentCalls(database));
  return {
    authenticate: createAuthenticate({
      apiKeys,
      verifyJwt: createJwtVerifier(jwt),
      mode: authMode,
    }),
    rateLimiter: createRateLimiter({ limits: createRateLimits(database), jwtTier: jwtRateLimit }),
    corsAllowedOrigins,
    workflows,
    registerWorkflow: createRegisterWorkflow(workflows),
    grants: createWorkflowGrants(database),
    startRun,
    dryRun: createDryRun({
      plans,
      examples: createAgentExamples(database),
      clock,
      nextId: () => uuidv7(),
      limits: {
        maxSteps: limits.maxDryRunSteps,
        maxTimeMs: limits.maxDryRunTimeMs,
        maxDataLength: limits.maxDryRunDataLength,
        maxExamplesBytes: limits.maxDryRunExamplesBytes,
      },
    }),
    runs: createRunQueries(database, searches),
    executions: createExecutionQueries(database, searches),
    nodes: createNodeQueries(database),
    findPlan: createFindPlan(plans, { loadVersions: (ids) => loadVersions(database, ids) }),
    findMissingNames: createFindMissingNames({
      names: createKnownNames(database),
      registry: connectAgentRegistry(settings, clock.now),
      clock,
      sleep: (ms) => sleep(ms, undefined, { ref: false }),
      onError: (error) => log.error('Names of agents and workflows were not looked up', { error }),
    }),
    setWorkflowPaused: createSetWorkflowPaused({ workflows, runs: runBatches, changeRun }),
    runLimits: settings.runLimits,
    runBatches,
    changeRun,
    agents,
    manageAgents: createManageAgents(agents, {
      generate: generateSecret,
      encrypt: (secret) => encryptSecret(secretKey, secret),
      isSame: (encrypted, secret) => isSameSecret(secretKey, encrypted, secret),
    }),
    apiKeys,
    createApiKey: createCreateApiKey(apiKeys, generateApiKey),
    agentRules: {
      checkAddress: checkAddressOf(settings),
      checkSecret: checkAgentSecret,
    },
    verifyCallbackToken: (stepExecutionId, token) => tokens.verifyCallbackToken(stepExecutionId, token),
    healthChecks: {
      database: () => database.one('select 1 as one'),
      kafka: () => producer.check(KAFKA_CHECK_TIMEOUT_MS),
    },
    workflowMetrics: createWorkflowMetrics(database),
    operations: {
      readBacklog: () => readBacklog(database),
      readBacklogSizes: () => readBacklogSizes(database),
      readRunDurations: () => readRunDurations(database),
      readDeadLetterCounts: () => readDeadLetterCounts(database),
      readConsumerLag: () => readConsumerLag(kafka, consumers, CONSUMER_LAG_TIMEOUT_MS),
    },
    documents: createApiDocuments(allRoutes, publicUrl),
    audit: createAuditLog(database),
    aaa,
    log,
  };
}
