import type { Json, JsonObject } from '../../engine/json.ts';
import type { Plan } from '../../engine/plan.ts';
import type { Run } from '../../engine/state.ts';
import type { PlanCache } from '../plan-cache.ts';
import type { Clock } from '../ports/publishing.ts';
import type { ExecutableWorkflow } from '../start-run.ts';
import { type DryRunLimits, driveRun, type GivenUp } from './drive-run.ts';
import { MockedAgents, type Mocks } from './mocked-agents.ts';
import { type Branch, branchesNotTaken, type TracedNode, traceOf } from './trace.ts';

/** `inputData` and `variables` exclude each other; both may be absent. */
export interface DryRunRequest {
  readonly inputData: JsonObject | null;
  readonly variables: JsonObject | null;
  readonly mocks: Mocks;
}

export interface AgentExamples {
  /**
   * Example outputs by agent name, the owner's own agents before everybody's; agents without one are absent. Null where
   * they are more than `maxBytes` of JSON together.
   */
  loadExamples(
    owner: string,
    names: readonly string[],
    maxBytes: number,
  ): Promise<ReadonlyMap<string, Json> | null>;
}

/** How a run ended that never was. */
export interface DryRunReport {
  /** A fresh UUID that names nothing. */
  readonly executionId: string;
  readonly plan: Plan;
  readonly run: Run;
  readonly variables: Json;
  readonly nodes: readonly TracedNode[];
  readonly nodesSkipped: number;
  readonly branchesNotTaken: readonly Branch[];
  /** The mocked steps whose agent was never called. */
  readonly unusedMocks: readonly string[];
}

export type DryRunResult =
  | { readonly ok: true; readonly report: DryRunReport }
  | { readonly ok: false; readonly reason: GivenUp | 'examples_too_large' };

export interface DryRun {
  stepsOf(workflow: ExecutableWorkflow): Plan['steps'];
  run(workflow: ExecutableWorkflow, request: DryRunRequest): Promise<DryRunResult>;
}

export interface DryRunDeps {
  readonly plans: PlanCache;
  readonly examples: AgentExamples;
  readonly clock: Clock;
  /** A fresh UUIDv7. */
  readonly nextId: () => string;
  readonly limits: DryRunLimits & { readonly maxExamplesBytes: number };
}

/** Backoffs are as long as they are on average: the same request has the same trace. */
const JITTER = 0.5;

/** Runs a workflow with the engine itself and without effects: no row, no message, no agent is called. */
export function createDryRun({ plans, examples, clock, nextId, limits }: DryRunDeps): DryRun {
  const planOf = ({ versionId, definition }: ExecutableWorkflow) =>
    plans.get(versionId) ?? plans.add(versionId, definition);
  return {
    stepsOf: (workflow) => planOf(workflow).steps,
    async run(workflow, { inputData, variables, mocks }) {
      const plan = planOf(workflow);
      const names = agentsToLookUp(plan, mocks);
      const known =
        names.length === 0
          ? new Map()
          : await examples.loadExamples(workflow.owner, names, limits.maxExamplesBytes);
      if (known === null) return { ok: false, reason: 'examples_too_large' };
      const agents = new MockedAgents(mocks, known);
      const executionId = nextId();
      const driven = driveRun(
        plan,
        { runId: `run-${executionId}`, inputData, variables },
        {
          answer: (task) => agents.answer(task),
          hasMock: (stepId) => agents.hasMock(stepId),
          draws: { id: nextId, jitter: () => JITTER },
          clock,
          limits,
        },
      );
      if (!driven.ok) return driven;
      const { memory, sources } = driven;
      const nodes = traceOf(memory.attempts, sources);
      const entered = new Set(nodes.map(({ stepId }) => stepId));
      return {
        ok: true,
        report: {
          executionId,
          plan,
          run: memory.run,
          variables: memory.variables,
          nodes,
          nodesSkipped: plan.steps.size - entered.size,
          branchesNotTaken: branchesNotTaken(plan, entered),
          unusedMocks: agents.unusedMocks(),
        },
      };
    },
  };
}

function agentsToLookUp({ steps }: Plan, mocks: Mocks): string[] {
  const unmocked = [...steps.values()].filter(({ id }) => !mocks.has(id));
  return [...new Set(unmocked.flatMap((step) => ('agentName' in step ? [step.agentName] : [])))];
}
