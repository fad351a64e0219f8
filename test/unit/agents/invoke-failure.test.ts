import { readFileSync } from 'node:fs';
import * as sdk from '@aws-sdk/client-lambda';
import { describe, expect, it } from 'vitest';
import { readInvokeFailure } from '../../../shared/agents/invoke-failure.ts';

const now = Date.UTC(2026, 0, 1);

/** Of the exceptions that Lambda may answer an invocation with: the code that a run shows, and whether a repeat may help. */
const table: Readonly<
  Record<string, readonly [code: string, repeatable: 'after a while' | 'at once' | 'never']>
> = {
  TooManyRequestsException: ['AGENT_THROTTLED', 'after a while'],
  EC2ThrottledException: ['AGENT_THROTTLED', 'after a while'],
  ENILimitReachedException: ['AGENT_THROTTLED', 'after a while'],
  SubnetIPAddressLimitReachedException: ['AGENT_THROTTLED', 'after a while'],
  ServiceQuotaExceededException: ['AGENT_THROTTLED', 'after a while'],
  CodeArtifactUserPendingException: ['AGENT_NOT_READY', 'after a while'],
  ENINotReadyException: ['AGENT_NOT_READY', 'after a while'],
  ResourceConflictException: ['AGENT_NOT_READY', 'after a while'],
  ResourceNotReadyException: ['AGENT_NOT_READY', 'after a while'],
  SnapStartNotReadyException: ['AGENT_NOT_READY', 'after a while'],
  SnapStartRegenerationFailureException: ['AGENT_NOT_READY', 'after a while'],
  EC2UnexpectedException: ['AGENT_UNAVAILABLE', 'at once'],
  EFSIOException: ['AGENT_UNAVAILABLE', 'at once'],
  EFSMountConnectivityException: ['AGENT_UNAVAILABLE', 'at once'],
  EFSMountTimeoutException: ['AGENT_UNAVAILABLE', 'at once'],
  S3FilesMountConnectivityException: ['AGENT_UNAVAILABLE', 'at once'],
  S3FilesMountTimeoutException: ['AGENT_UNAVAILABLE', 'at once'],
  ServiceException: ['AGENT_UNAVAILABLE', 'at once'],
  SnapStartException: ['AGENT_UNAVAILABLE', 'at once'],
  SnapStartTimeoutException: ['AGENT_UNAVAILABLE', 'at once'],
  CodeArtifactUserDeletedException: ['AGENT_MISCONFIGURED', 'never'],
  CodeArtifactUserFailedException: ['AGENT_MISCONFIGURED', 'never'],
  EC2AccessDeniedException: ['AGENT_MISCONFIGURED', 'never'],
  EFSMountFailureException: ['AGENT_MISCONFIGURED', 'never'],
  InvalidRuntimeException: ['AGENT_MISCONFIGURED', 'never'],
  InvalidSecurityGroupIDException: ['AGENT_MISCONFIGURED', 'never'],
  InvalidSubnetIDException: ['AGENT_MISCONFIGURED', 'never'],
  InvalidZipFileException: ['AGENT_MISCONFIGURED', 'never'],
  KMSAccessDeniedException: ['AGENT_MISCONFIGURED', 'never'],
  KMSDisabledException: ['AGENT_MISCONFIGURED', 'never'],
  KMSInvalidStateException: ['AGENT_MISCONFIGURED', 'never'],
  KMSNotFoundException: ['AGENT_MISCONFIGURED', 'never'],
  ModeNotSupportedException: ['AGENT_MISCONFIGURED', 'never'],
  NoPublishedVersionException: ['AGENT_MISCONFIGURED', 'never'],
  RecursiveInvocationException: ['AGENT_MISCONFIGURED', 'never'],
  S3FilesMountFailureException: ['AGENT_MISCONFIGURED', 'never'],
  ResourceNotFoundException: ['AGENT_FUNCTION_NOT_FOUND', 'never'],
  DurableExecutionAlreadyStartedException: ['AGENT_CALL_REFUSED', 'never'],
  InvalidParameterValueException: ['AGENT_CALL_REFUSED', 'never'],
  InvalidRequestContentException: ['AGENT_CALL_REFUSED', 'never'],
  RequestTooLargeException: ['AGENT_CALL_REFUSED', 'never'],
  SerializedRequestEntityTooLargeException: ['AGENT_CALL_REFUSED', 'never'],
  UnsupportedMediaTypeException: ['AGENT_CALL_REFUSED', 'never'],
};

function exception(name: string, status: number, more: object = {}): Error {
  const options = { name, $fault: 'client', $metadata: { httpStatusCode: status } } as const;
  const message = 'arn:aws:sts::123456789012:assumed-role/secret-role says no';
  return Object.assign(new sdk.LambdaServiceException({ ...options, message }), more);
}

const read = (error: unknown) => {
  const { failure, needsMending } = readInvokeFailure(error, now);
  return { ...failure.error, needsMending };
};

const treatmentOf = (error: unknown) => {
  const { code, retryable, retry_after_ms } = read(error);
  const repeatable = !retryable ? 'never' : retry_after_ms === undefined ? 'at once' : 'after a while';
  return [code, repeatable];
};

describe('an exception of Lambda', () => {
  it('is in the table, whichever the SDK says that an invocation may end in', () => {
    const types = import.meta.resolve('@aws-sdk/client-lambda/dist-types/commands/InvokeCommand.d.ts');
    const documented = [...readFileSync(new URL(types), 'utf8').matchAll(/@throws \{@link (\w+)\}/g)]
      .map(([, name]) => name)
      .filter((name) => name !== 'LambdaServiceException');
    expect(documented.length).toBeGreaterThan(40);
    expect(Object.keys(table).sort()).toEqual(documented.sort());
  });

  it.each(Object.entries(table))('%s is %j', (name, treatment) => {
    // The name decides, not the status: Lambda sends 502 for a function's bad subnet.
    for (const status of [400, 502]) expect(treatmentOf(exception(name, status))).toEqual(treatment);
  });

  it.each<[string, number, readonly [string, string]]>([
    ['AccessDeniedException', 403, ['AGENT_ACCESS_DENIED', 'never']],
    ['UnrecognizedClientException', 403, ['AGENT_ACCESS_DENIED', 'never']],
    ['MissingAuthenticationTokenException', 403, ['AGENT_ACCESS_DENIED', 'never']],
    ['ExpiredTokenException', 403, ['AGENT_UNAVAILABLE', 'at once']],
    ['InvalidSignatureException', 403, ['AGENT_UNAVAILABLE', 'at once']],
    ['ThrottlingException', 400, ['AGENT_THROTTLED', 'after a while']],
    ['SomethingNew', 429, ['AGENT_THROTTLED', 'after a while']],
    ['SomethingNew', 500, ['AGENT_UNAVAILABLE', 'at once']],
    ['SomethingNew', 503, ['AGENT_UNAVAILABLE', 'at once']],
    ['SomethingNew', 400, ['AGENT_CALL_REFUSED', 'never']],
    ['toString', 400, ['AGENT_CALL_REFUSED', 'never']],
    ['__proto__', 500, ['AGENT_UNAVAILABLE', 'at once']],
  ])('%s with status %i, which is not of Invoke alone, is %j', (name, status, treatment) => {
    expect(treatmentOf(exception(name, status))).toEqual(treatment);
  });

  it('is named in the message, and nothing of what it says', () => {
    expect(read(exception('AccessDeniedException', 403))).toEqual({
      code: 'AGENT_ACCESS_DENIED',
      message:
        "The deployment may not invoke the function: allow the bridge's role lambda:InvokeFunction on it (AccessDeniedException)",
      retryable: false,
      needsMending: true,
    });
  });

  it('that throttles says why, and how long to wait', () => {
    const Reason = 'ReservedFunctionConcurrentInvocationLimitExceeded';
    expect(read(exception('TooManyRequestsException', 429, { Reason, retryAfterSeconds: '7' }))).toEqual({
      code: 'AGENT_THROTTLED',
      message: `Lambda has no room for another invocation of the function now (TooManyRequestsException, ${Reason})`,
      retryable: true,
      retry_after_ms: 7_000,
      needsMending: false,
    });
    const silent = exception('TooManyRequestsException', 429, { retryAfterSeconds: 'soon' });
    expect(read(silent).retry_after_ms).toBe(2_000);
  });
});

describe('no answer of Lambda', () => {
  it.each<[string, unknown, string]>([
    ['a broken connection', Object.assign(new Error('read 10.1.2.3'), { code: 'ECONNRESET' }), 'ECONNRESET'],
    [
      'no credentials',
      Object.assign(new Error('x'), { name: 'CredentialsProviderError' }),
      'CredentialsProviderError',
    ],
    ['what the SDK counted', Object.assign(new Error('x'), { $metadata: { attempts: 1 } }), 'Error'],
    ['no error at all', 'why', 'Error'],
  ])('(%s) may be another time, and says no address', (_, error, said) => {
    expect(read(error)).toEqual({
      code: 'AGENT_UNREACHABLE',
      message: `The agent gave no complete answer: ${said}`,
      retryable: true,
      needsMending: false,
    });
  });
});
