import type { ChangeRun } from '../../shared/application/change-run.ts';
import type { DryRun } from '../../shared/application/dry-run/dry-run.ts';
import type { FindMissingNames } from '../../shared/application/find-missing-names.ts';
import type { AgentKind, Agents, ManageAgents } from '../../shared/application/manage-agents.ts';
import type { CreateApiKey, ManagedApiKeys } from '../../shared/application/manage-api-keys.ts';
import type { SetWorkflowPaused } from '../../shared/application/pause-workflow.ts';
import type { WorkflowGrants } from '../../shared/application/permissions.ts';
import type { FindPlan } from '../../shared/application/plan-cache.ts';
import type { RegisterWorkflow } from '../../shared/application/register-workflow.ts';
import type { StartRun } from '../../shared/application/start-run.ts';
import type { Authenticate } from '../../shared/auth/authenticate.ts';
import type { RateLimiter } from '../../shared/auth/rate-limiter.ts';
import type { RunLimits } from '../../shared/config/environment.ts';
import type { ConsumerLag } from '../../shared/kafka/consumer-lag.ts';
import type { AuditLog } from '../../shared/persistence/audit-log.ts';
import type { Backlog, BacklogSizes } from '../../shared/persistence/backlog.ts';
import type { RunDurations } from '../../shared/persistence/closed-run-counts.ts';
import type { ExecutionQueries } from '../../shared/persistence/execution-queries.ts';
import type { NodeQueries } from '../../shared/persistence/node-queries.ts';
import type { RunBatches } from '../../shared/persistence/run-batches.ts';
import type { RunQueries } from '../../shared/persistence/run-queries.ts';
import type { WorkflowMetrics } from '../../shared/persistence/workflow-metrics.ts';
import type { Workflows } from '../../shared/persistence/workflows.ts';
import type { AaaLog } from '../../shared/telemetry/aaa-log.ts';

/** What the routes call. */
export interface ApiServices {
  readonly authenticate: Authenticate;
  readonly rateLimiter: RateLimiter;
  readonly corsAllowedOrigins: readonly string[];
  readonly workflows: Workflows;
  readonly registerWorkflow: RegisterWorkflow;
  readonly grants: WorkflowGrants;
  readonly startRun: StartRun;
  readonly dryRun: DryRun;
  readonly findPlan: FindPlan;
  readonly findMissingNames: FindMissingNames;
  readonly setWorkflowPaused: SetWorkflowPaused;
  /** Of the deployment. */
  readonly runLimits: Pick<RunLimits, 'maxMapItems'>;
  readonly runs: RunQueries;
  readonly executions: ExecutionQueries;
  readonly nodes: NodeQueries;
  readonly runBatches: RunBatches;
  readonly changeRun: ChangeRun;
  readonly agents: Agents;
  readonly manageAgents: ManageAgents;
  readonly apiKeys: Omit<ManagedApiKeys, 'insertApiKey'>;
  readonly createApiKey: CreateApiKey;
  readonly agentRules: AgentRules;
  readonly verifyCallbackToken: (stepExecutionId: string, token: string) => boolean;
  /** Each resolves while the server answers. */
  readonly healthChecks: {
    readonly database: () => Promise<unknown>;
    readonly kafka: () => Promise<unknown>;
  };
  readonly workflowMetrics: WorkflowMetrics;
  readonly operations: Operations;
  readonly documents: ApiDocuments;
  readonly audit: AuditLog;
  readonly aaa: AaaLog;
  readonly log: ErrorLog;
}

/** What operators ask of the system. */
export interface Operations {
  readBacklog(): Promise<Backlog>;
  readBacklogSizes(): Promise<BacklogSizes>;
  readRunDurations(): Promise<RunDurations>;
  readDeadLetterCounts(): Promise<readonly { readonly topic: string; readonly letters: number }[]>;
  /** Of each event source's group. @throws when Kafka does not tell in time. */
  readConsumerLag(): Promise<readonly ConsumerLag[]>;
}

/** Texts that are the same for everybody, each made when it is first asked for. */
export interface ApiDocuments {
  openApi(): string;
  page(): string;
  workflowSchema(): string;
}

/** What is wrong with an address or a secret, or null. */
export interface AgentRules {
  checkAddress(agent: {
    readonly kind: AgentKind;
    readonly address: string;
    /** Null: it is, or will be, everybody's. */
    readonly owner: string | null;
  }): string | null;
  checkSecret(secret: string): string | null;
}

export interface ErrorLog {
  error(message: string, fields: Readonly<Record<string, unknown>>): void;
}
