/** 6 MB as Lambda counts them, in bytes of JSON: of a synchronous invocation's event, and of its answer. */
export const largestEvent = 6_291_456;
export const largestAnswer = 6_291_556;

export interface FunctionError {
  errorType: string;
  errorMessage: string;
  trace: readonly string[];
}

export type InvocationResult = { ok: true; payload: unknown } | { ok: false; error: FunctionError };

export interface InvocationOptions {
  /** The function's timeout, counted from the moment an environment takes the event. */
  timeoutMs?: number;
  requestId?: string;
}

/** One Lambda function, wherever it runs. A failed invocation is an answer; `invoke` does not throw. */
export interface Invoker {
  readonly functionName: string;
  invoke(event: unknown, options?: InvocationOptions): Promise<InvocationResult>;
  /** Whether Lambda's API would refuse another synchronous invocation now. Absent: it never does. */
  isThrottled?(): boolean;
}

/** What Stepline's handlers read of Lambda's context. */
export interface InvocationContext {
  functionName: string;
  functionVersion: string;
  invokedFunctionArn: string;
  memoryLimitInMB: string;
  awsRequestId: string;
  logGroupName: string;
  logStreamName: string;
  callbackWaitsForEmptyEventLoop: boolean;
  getRemainingTimeInMillis(): number;
}

export const emulatedRegion = 'us-east-1';
export const emulatedAccount = '000000000000';

export function functionArn(functionName: string): string {
  return `arn:aws:lambda:${emulatedRegion}:${emulatedAccount}:function:${functionName}`;
}

export function invocationContext(
  functionName: string,
  memoryMb: number,
  requestId: string,
  deadline: number,
): InvocationContext {
  return {
    functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: functionArn(functionName),
    memoryLimitInMB: String(memoryMb),
    awsRequestId: requestId,
    logGroupName: `/aws/lambda/${functionName}`,
    logStreamName: 'local',
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
}

/** What a handler threw, in the shape in which Lambda reports it. */
export function describeThrown(thrown: unknown): FunctionError {
  if (!(thrown instanceof Error))
    return { errorType: typeof thrown, errorMessage: String(thrown), trace: [] };
  return { errorType: thrown.name, errorMessage: thrown.message, trace: (thrown.stack ?? '').split('\n') };
}

export function failed(errorType: string, errorMessage: string): InvocationResult {
  return { ok: false, error: { errorType, errorMessage, trace: [] } };
}

export function timedOut(requestId: string, timeoutMs: number): InvocationResult {
  const seconds = (timeoutMs / 1000).toFixed(2);
  return failed('Sandbox.Timedout', `RequestId: ${requestId} Error: Task timed out after ${seconds} seconds`);
}
