import type { Json, JsonObject } from '../engine/json.ts';
import type { Plan, PlanSettings, PlanStep, RetryPolicy, StepBase } from '../engine/plan.ts';
import { type CatchDefinition, compileCatch } from './catch.ts';
import { createExpressionCompiler, type ExpressionCompiler } from './expression.ts';
import { unionOf } from './reads.ts';
import { compileRetry, type RetryDefinition } from './retry-policy.ts';
import { millisecondsOf } from './step-fields.ts';
import { edgesOf, readStepGraph } from './step-graph.ts';
import { compileAgent } from './steps/agent.ts';
import { compileChoice } from './steps/choice.ts';
import { compileFail } from './steps/fail.ts';
import { compileMap } from './steps/map.ts';
import { compileParallel } from './steps/parallel.ts';
import { compilePass } from './steps/pass.ts';
import { compileSignal } from './steps/signal.ts';
import { compileSucceed } from './steps/succeed.ts';
import { compileWait } from './steps/wait.ts';
import { compileWorkflow } from './steps/workflow.ts';
import { nodesOnCycles } from './strong-components.ts';
import {
  type StepDefinition,
  type StepDefinitions,
  stepsWithin,
  type WorkflowDefinition,
} from './workflow-definition.ts';

/** What a deployment sets for workflows that say nothing. */
export interface PlanDefaults extends PlanSettings {
  /** Of agent steps. */
  readonly retry: readonly RetryPolicy[];
  /** How long a run may take; null: as long as it likes. */
  readonly runTimeoutMs: number | null;
}

/** Compiles a definition that was validated when it was stored. */
export function compilePlan(definition: WorkflowDefinition, defaults: PlanDefaults): Plan {
  const { retry: defaultRetry, runTimeoutMs, ...settings } = defaults;
  const placed = flatten(definition.steps);
  const ids = new Set(placed.map(({ id }) => id));
  const looping = loopingSteps(definition);
  const context: Context = {
    isStep: (id) => ids.has(id),
    isLooping: (id) => looping.has(id),
    agentRetry: definition.retry === undefined ? defaultRetry : compileRetry(definition.retry),
  };
  return {
    startStep: definition.start_step,
    steps: new Map(placed.map((step) => [step.id, compileStep(step, context)])),
    timeoutMs: millisecondsOf(definition.timeout_seconds) ?? runTimeoutMs,
    ...(definition.steps_per_invocation !== undefined && {
      stepsPerInvocation: definition.steps_per_invocation,
    }),
    settings,
  };
}

interface Context {
  isStep(id: string): boolean;
  isLooping(id: string): boolean;
  readonly agentRetry: readonly RetryPolicy[];
}

/** A step and where it stands. */
interface PlacedStep {
  readonly id: string;
  readonly step: StepDefinition;
  readonly within: string | null;
  readonly depth: number;
}

/** The steps of all scopes, which nest no deeper than was checked when they were registered. */
function flatten(steps: StepDefinitions, within: string | null = null, depth = 0): PlacedStep[] {
  return Object.entries(steps).flatMap(([id, step]) => [
    { id, step, within, depth },
    ...stepsWithin(step).flatMap((inner) => flatten(inner, id, depth + 1)),
  ]);
}

function loopingSteps(definition: WorkflowDefinition): ReadonlySet<string> {
  const { scopes } = readStepGraph(definition, () => false);
  return new Set(
    scopes.flatMap((scope) => {
      const { nodes, next } = edgesOf(scope);
      const onCycle = nodesOnCycles(next);
      return nodes.filter((_, number) => onCycle[number]).map(({ id }) => id);
    }),
  );
}

function compileStep({ id, step, within, depth }: PlacedStep, context: Context): PlanStep {
  const { isStep, isLooping, agentRetry } = context;
  const compiler = createExpressionCompiler({ isStep });
  const own = compileOwnPart(id, step, compiler);
  const reads = compiler.reads();
  const common: CommonFields = step;
  const compile = (mapping: Json | undefined) => (mapping === undefined ? null : compiler.mapping(mapping));
  const output = compile(common.output_mapping);
  const assign = compile(common.assign);
  const defaultRetry = own.type === 'agent' ? agentRetry : [];
  const base: StepBase = {
    id,
    name: common.name ?? id,
    label: common.step_type ?? own.type,
    within,
    depth,
    next: common.next_step ?? null,
    inCycle: isLooping(id),
    reads,
    settleReads: unionOf([...(output ? [output.reads] : []), ...(assign ? [assign.reads] : [])]),
    output,
    assign,
    retry: common.retry === undefined ? defaultRetry : compileRetry(common.retry),
    catch: compileCatch(common.catch),
    timeoutMs: millisecondsOf(common.timeout_seconds),
  };
  return { ...base, ...own };
}

/** What steps have of several types, or all. */
interface CommonFields {
  readonly name?: string | undefined;
  readonly step_type?: string | undefined;
  readonly next_step?: string | null;
  readonly output_mapping?: Json | undefined;
  readonly assign?: JsonObject | undefined;
  readonly retry?: RetryDefinition | undefined;
  readonly catch?: CatchDefinition;
  readonly timeout_seconds?: number | undefined;
}

function compileOwnPart(id: string, step: StepDefinition, entering: ExpressionCompiler) {
  switch (step.type) {
    case undefined:
    case 'agent':
      return compileAgent(step, entering);
    case 'choice':
      return compileChoice(step, entering);
    case 'parallel':
      return compileParallel(step);
    case 'map':
      return compileMap(step, entering);
    case 'wait':
      return compileWait(step, entering);
    case 'signal':
      return compileSignal(step);
    case 'workflow':
      return compileWorkflow(step, entering);
    case 'pass':
      return compilePass(step, entering);
    case 'succeed':
      return compileSucceed(step, entering);
    case 'fail':
      return compileFail(id, step, entering);
  }
}
