import fc from 'fast-check';
import { parseDefinition } from '../../../shared/definition/parse-definition.ts';
import type { AgentOutcome } from '../../../shared/engine/event.ts';
import type { Json } from '../../../shared/engine/json.ts';
import type { Plan } from '../../../shared/engine/plan.ts';
import { type Attempt, isOpenRun, type StartableWorkflow } from '../../../shared/engine/state.ts';
import type { AgentTask } from '../../../shared/messages/messages.ts';
import type { Agents } from '../bridge-model.ts';
import { workflows } from '../engine/arbitraries.ts';
import { planOf, SETTINGS } from '../engine/plan-of.ts';
import { type AgentModel, outcomeOf, type WorkflowModel } from '../engine/workflow-model.ts';
import type { World } from '../world.ts';

/** What may happen to runs beside what must. */
export interface Liberties {
  /** Cancels, and retries from where a run ended. */
  readonly mayCommand: boolean;
  /** Commands to any run, children too; retries from any step, with edited input; what the definition leaves to chance. */
  readonly mayRace: boolean;
}

/** A run that a user started, and the workflows that it and its children are of. */
export interface Family {
  readonly owner: string;
  readonly models: ReadonlyMap<string, WorkflowModel>;
  readonly agents: AgentModel;
  runId: string;
}

/** Random workflows that start one another, and the agents that they call. */
export class Families implements Agents {
  readonly slowestMs: number;
  readonly silent: number;
  /** By version. */
  readonly plans: Map<string, Plan>;
  readonly all: Family[] = [];
  readonly #world: World;
  readonly #liberties: Liberties;

  constructor(world: World, plans: Map<string, Plan>, liberties: Liberties) {
    this.#world = world;
    this.plans = plans;
    this.#liberties = liberties;
    this.slowestMs = liberties.mayRace ? 7_200_000 : 300_000;
    this.silent = liberties.mayRace ? 0.2 : 0;
  }

  async start(): Promise<void> {
    const { random, startRun, store } = this.#world;
    const { mayCommand, mayRace } = this.#liberties;
    const owner = `user-${this.all.length}`;
    const [models] = fc.sample(fc.noBias(workflows({ hasRaces: mayRace })), {
      numRuns: 1,
      seed: random.int(2 ** 31),
    });
    const agents = {
      seed: random.int(1_000),
      // What is tried again must come to the same, for the outcome to be told beforehand.
      isFickle: !mayCommand,
      failurePercentage: random.pick([0, 10, 30]),
    };
    const settings = {
      ...SETTINGS,
      ...(mayRace && random.chance(0.2) && { maxStepsPerRun: 5 + random.int(40) }),
      ...(mayRace && random.chance(0.1) && { maxRunDepth: 1 }),
    };
    const family = { owner, models: models as ReadonlyMap<string, WorkflowModel>, agents, runId: '' };
    this.all.push(family);
    const startable: StartableWorkflow[] = [];
    for (const [name, model] of family.models) {
      const plan = planOf(model, settings);
      for (const version of [1, 2]) {
        const versionId = `${owner}/${name}/${version}`;
        this.plans.set(versionId, plan);
        store.addVersion(versionId, DEFINITION, version);
        startable.push({ workflowId: `${owner}/${name}`, versionId, name, version });
      }
    }
    store.workflows.set(owner, startable);
    const versionId = `${owner}/top/1`;
    const given = random.pick<Json>([0, 7, 'text', { v0: 1, v1: [1] }]);
    const { runId } = await startRun({
      owner,
      triggeredBy: owner,
      workflow: { id: `${owner}/top`, name: 'top', version: 1, versionId, definition: DEFINITION },
      inputData: given,
      variables: undefined,
      communityId: null,
      metadata: null,
    });
    family.runId = runId;
    this.#world.say(`started with ${JSON.stringify(given)}, agents ${JSON.stringify(agents)}`, [runId]);
  }

  familyOf(runId: string): Family {
    const owner = this.#world.store.runs.get(runId)?.owner;
    const family = this.all.find((each) => each.owner === owner);
    if (family === undefined) throw new Error(`Nobody started ${runId}`);
    return family;
  }

  modelOf(runId: string): WorkflowModel {
    const name = this.#world.store.runs.get(runId)?.versionId?.split('/')[1];
    const model = this.familyOf(runId).models.get(name ?? '');
    if (model === undefined) throw new Error(`${runId} is of no workflow`);
    return model;
  }

  openRuns(): string[] {
    return this.runIds().filter((runId) => isOpenRun(this.#world.store.runs.get(runId)!.run));
  }

  runIds(): string[] {
    return [...this.#world.store.runs.keys()];
  }

  /** The same, whenever and however often it is asked. */
  answer({ run_id: runId }: AgentTask, attempt: Attempt): AgentOutcome {
    const outcome = this.outcomeOf(runId, attempt);
    if (outcome.status === 'completed') return outcome;
    const { code, retryable } = outcome;
    return { status: 'failed', error: { code, retryable, message: 'so it is' } };
  }

  outcomeOf(runId: string, { stepId, scope, visit, attempt, inputData }: Attempt) {
    const { agents } = this.familyOf(runId);
    return outcomeOf(agents, { stepId, scope, visit, attempt, input: inputData });
  }
}

/** What requests carry and nobody reads: the plan stored with the run decides. */
const DEFINITION = (() => {
  const parsed = parseDefinition({ name: 'none', start_step: 'a', steps: { a: { type: 'pass' } } });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.definition;
})();
