import { createQuickAgents } from '../../shared/agent-bridge/quick-agents.ts';
import type { AgentCaller } from '../../shared/agents/agent-call.ts';
import { createAgentGuards } from '../../shared/agents/agent-guards.ts';
import { createHttpAgentCaller } from '../../shared/agents/call-http-agent.ts';
import { createSecretReader } from '../../shared/agents/secrets.ts';
import type { Outcome } from '../../shared/application/batch.ts';
import { CarryOut } from '../../shared/application/carry-out.ts';
import type { ProcessBatch } from '../../shared/application/process-batch.ts';
import { checkAddressOf } from '../../shared/composition/agent-services.ts';
import {
  createEngineServices,
  type EngineDrivers,
  type PublishingParts,
} from '../../shared/composition/engine-services.ts';
import type { Environment } from '../../shared/config/environment.ts';
import type { JsonObject } from '../../shared/engine/json.ts';
import type { MskBatchResponse, MskEvent } from '../../shared/kafka/msk-event.ts';
import type { AgentResult } from '../../shared/messages/messages.ts';
import { createAgentCalls } from '../../shared/persistence/agent-calls.ts';
import { itemOfAnswer } from './item-of-answer.ts';
import { createStepExecutor, logOutcome, type StepExecutorLog } from './step-executor.ts';

export interface OpenStepExecutor {
  readonly handler: (
    event: MskEvent,
    context: { getRemainingTimeInMillis(): number },
  ) => Promise<MskBatchResponse>;
  close(): Promise<void>;
}

export interface StepExecutorOptions {
  readonly log: StepExecutorLog;
  /** Around the ways out of the process, and around all that is decided: for tests. */
  readonly wrap?: (drivers: EngineDrivers) => EngineDrivers;
  readonly watch?: (processBatch: ProcessBatch) => ProcessBatch;
}

/** Agents that answer within a fifth of the patience on average seldom come to its end. */
const QUICK_SHARE = 5;

/** The step-executor with its real database and broker, and what calls agents. They connect at the first use. */
export function openStepExecutor(
  environment: Environment,
  { log, wrap, watch = (processBatch) => processBatch }: StepExecutorOptions,
): OpenStepExecutor {
  const caller = createHttpAgentCaller({ guards: createAgentGuards(environment), clock: Date.now });
  let carryOut!: CarryOut;
  const services = createEngineServices(environment, 'step-executor', wrap, (parts) => {
    carryOut = createCarryOut(environment, parts, caller, log);
    return carryOut.publishCommitted;
  });
  const { producer, tokens, clock, countDeadLetters, published } = services;
  const processBatch = watch(services.processBatch);
  const execute = createStepExecutor({
    processBatch,
    producer,
    verifyResultToken: tokens.verifyResultToken,
    deadLetterTopic: environment.topics.deadLetter,
    countDeadLetters,
    clock,
    log,
  });
  const decide: ProcessBatch = async (items) => {
    const outcomes = await processBatch(items);
    for (const [i, item] of items.entries()) logOutcome(log, item, outcomes[i] as Outcome);
    return outcomes;
  };
  return {
    async handler(event, context) {
      carryOut.begin({ remainingMs: () => context.getRemainingTimeInMillis(), decide });
      // What was committed is carried out, whatever kept the rest from being so.
      return execute(event).finally(async () => {
        const { hasAnswered } = await carryOut.finish();
        // An answer comes back at once, most likely to here.
        if (!hasAnswered) await published.rest();
      });
    },
    async close() {
      await Promise.all([caller.close(), services.close()]);
    },
  };
}

function createCarryOut(
  environment: Environment,
  { database, tokens, ...parts }: PublishingParts,
  caller: AgentCaller,
  log: StepExecutorLog,
): CarryOut {
  const { carryOut: limits, secretKey, topics, publicUrl } = environment;
  const agents = createQuickAgents({
    callAgent: caller.call,
    checkAddress: checkAddressOf(environment),
    readSecret: createSecretReader(secretKey),
    ...createAgentCalls(database),
    tokens,
    publicUrl,
    quickMs: limits.patienceMs / QUICK_SHARE,
    clock: parts.clock.now,
    warn: (message, fields) => log.warn(message, fields),
  });
  const itemOf = (answer: AgentResult) => {
    const translated = itemOfAnswer(answer as JsonObject, { verify: tokens.verifyResultToken });
    return translated.ok ? translated.item : null;
  };
  return new CarryOut({ ...parts, agents, itemOf, topics, limits });
}
