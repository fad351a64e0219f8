import * as z from 'zod';
import type { SignalStep } from '../../engine/plan.ts';
import { catchField } from '../catch.ts';
import { heading, name, nextStep, results, timeoutSeconds } from '../step-fields.ts';
import { expressionsIn, type OwnPart } from '../step-type.ts';

/** The run waits until somebody sends it a signal, which may have come before. */
export const signalSchema = z.strictObject({
  ...heading(z.literal('signal')),
  signal: name.describe("The signal's name; its payload is the step's output."),
  timeout_seconds: timeoutSeconds.describe(
    'How long to wait; default: for ever. Longer is the error TIMEOUT.',
  ),
  catch: catchField,
  ...results,
  next_step: nextStep,
});

export type SignalDefinition = z.infer<typeof signalSchema>;

export const signalExpressions = expressionsIn();

export function compileSignal({ signal }: SignalDefinition): OwnPart<SignalStep> {
  return { type: 'signal', signal };
}
