import { isJsonObject, type Json, type JsonObject } from '../engine/json.ts';
import { type FailedCall, failedCall } from './call-outcome.ts';
import { cleanCode, cleanMessage, NO_CODE, scalarText, textOf } from './error-text.ts';
import { outputTooLarge } from './read-output.ts';

/**
 * What a Lambda function threw, or what ended it: `{errorType, errorMessage}`, which become code and message. A runtime passes
 * on nothing else of what is thrown, so an agent that has more to say throws a message that is JSON itself:
 * `{code, message, retryable}`. Without that every error may be repeated, as a 5xx of an HTTP agent is.
 */
export function readFunctionError(payload: Buffer): FailedCall {
  const error = objectOf(payload.toString('utf8'));
  const type = scalarText(error.errorType);
  const message = textOf(error.errorMessage);
  if (type === 'Function.ResponseSizeTooLarge') return outputTooLarge();
  if (isTimeout(type, message)) {
    const reason = 'The function was ended by its own timeout, which is set where it is deployed';
    return failedCall('TIMEOUT', cleanMessage(message === null ? reason : `${reason}: ${message}`), {
      retryable: true,
    });
  }
  const said = message === null ? {} : objectOf(message);
  const code = cleanCode(scalarText(said.code) ?? type) || NO_CODE;
  const text = cleanMessage(textOf(said.message) ?? message ?? '') || 'The function failed and said no more';
  return failedCall(code, text, { retryable: said.retryable !== false });
}

/** Where the sandbox sends no type, its sentence is all that tells a timeout. */
function isTimeout(type: string | null, message: string | null): boolean {
  if (type !== null) return type === 'Sandbox.Timedout';
  return /\bTask timed out after [\d.]+ seconds$/.test(message ?? '');
}

function objectOf(text: string): JsonObject {
  try {
    const value = JSON.parse(text) as Json;
    return isJsonObject(value) ? value : {};
  } catch {
    return {};
  }
}
