import { type FailedCall, failedCall } from './call-outcome.ts';
import { cleanMessage } from './error-text.ts';
import { unreachable } from './name-the-call.ts';
import { retryAfterMs } from './retry-after.ts';

/** Why Lambda did not carry out an invocation, as far as the step's retries are concerned. */
type Refusal =
  | 'throttled'
  | 'not-ready'
  | 'unavailable'
  | 'misconfigured'
  | 'not-found'
  | 'denied'
  | 'refused';

interface Treatment {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  /** How long to wait at least, where Lambda does not say. */
  readonly retryAfterMs?: number;
}

/** At once it would be the same: rooms and network interfaces come free in seconds. */
const PAUSE_MS = 2_000;

const treatments: Record<Refusal, Treatment> = {
  throttled: {
    code: 'AGENT_THROTTLED',
    message: 'Lambda has no room for another invocation of the function now',
    retryable: true,
    retryAfterMs: PAUSE_MS,
  },
  'not-ready': {
    code: 'AGENT_NOT_READY',
    message: 'The function is being set up, and cannot be invoked yet',
    retryable: true,
    retryAfterMs: PAUSE_MS,
  },
  unavailable: {
    code: 'AGENT_UNAVAILABLE',
    message: 'Lambda could not run the function',
    retryable: true,
  },
  misconfigured: {
    code: 'AGENT_MISCONFIGURED',
    message: 'Lambda cannot run the function as it is deployed',
    retryable: false,
  },
  'not-found': {
    code: 'AGENT_FUNCTION_NOT_FOUND',
    message: 'There is no such function, version or alias: register the agent with the one that there is',
    retryable: false,
  },
  denied: {
    code: 'AGENT_ACCESS_DENIED',
    message:
      "The deployment may not invoke the function: allow the bridge's role lambda:InvokeFunction on it",
    retryable: false,
  },
  refused: {
    code: 'AGENT_CALL_REFUSED',
    message: 'Lambda did not take the invocation',
    retryable: false,
  },
};

/** Every exception that the API reference names for Invoke, and those that any AWS service has. */
const refusals: Readonly<Record<string, Refusal>> = {
  TooManyRequestsException: 'throttled',
  EC2ThrottledException: 'throttled',
  ENILimitReachedException: 'throttled',
  SubnetIPAddressLimitReachedException: 'throttled',
  ServiceQuotaExceededException: 'throttled',
  ThrottlingException: 'throttled',

  CodeArtifactUserPendingException: 'not-ready',
  ENINotReadyException: 'not-ready',
  ResourceConflictException: 'not-ready',
  ResourceNotReadyException: 'not-ready',
  SnapStartNotReadyException: 'not-ready',
  SnapStartRegenerationFailureException: 'not-ready',

  EC2UnexpectedException: 'unavailable',
  EFSIOException: 'unavailable',
  EFSMountConnectivityException: 'unavailable',
  EFSMountTimeoutException: 'unavailable',
  S3FilesMountConnectivityException: 'unavailable',
  S3FilesMountTimeoutException: 'unavailable',
  ServiceException: 'unavailable',
  // What the function does when it is restored may work the next time, as what it does when it is invoked may.
  SnapStartException: 'unavailable',
  SnapStartTimeoutException: 'unavailable',
  // The SDK takes new credentials, and the server's time, for the next invocation.
  ExpiredTokenException: 'unavailable',
  InvalidSignatureException: 'unavailable',

  CodeArtifactUserDeletedException: 'misconfigured',
  CodeArtifactUserFailedException: 'misconfigured',
  EC2AccessDeniedException: 'misconfigured',
  EFSMountFailureException: 'misconfigured',
  InvalidRuntimeException: 'misconfigured',
  InvalidSecurityGroupIDException: 'misconfigured',
  InvalidSubnetIDException: 'misconfigured',
  InvalidZipFileException: 'misconfigured',
  KMSAccessDeniedException: 'misconfigured',
  KMSDisabledException: 'misconfigured',
  KMSInvalidStateException: 'misconfigured',
  KMSNotFoundException: 'misconfigured',
  ModeNotSupportedException: 'misconfigured',
  NoPublishedVersionException: 'misconfigured',
  RecursiveInvocationException: 'misconfigured',
  S3FilesMountFailureException: 'misconfigured',

  ResourceNotFoundException: 'not-found',

  AccessDeniedException: 'denied',
  UnrecognizedClientException: 'denied',

  DurableExecutionAlreadyStartedException: 'refused',
  InvalidParameterValueException: 'refused',
  InvalidRequestContentException: 'refused',
  RequestTooLargeException: 'refused',
  SerializedRequestEntityTooLargeException: 'refused',
  UnsupportedMediaTypeException: 'refused',
};

export interface InvokeFailure {
  readonly failure: FailedCall;
  /** Somebody has to change something before it can work. */
  readonly needsMending: boolean;
}

/**
 * An invocation that Lambda did not carry out, or whose answer did not arrive. Lambda's own sentences name accounts and roles,
 * so a run shows the exception's name only.
 * @param error what the SDK threw @param nowMs epoch milliseconds
 */
export function readInvokeFailure(error: unknown, nowMs: number): InvokeFailure {
  const { name, code, status, reason, retryAfterSeconds } = partsOf(error);
  if (status === null) {
    return { failure: unreachable(error, code ?? name), needsMending: false };
  }
  const refusal = (Object.hasOwn(refusals, name) ? refusals[name] : undefined) ?? refusalOf(status);
  const treatment = treatments[refusal];
  const detail = reason === null ? name : `${name}, ${reason}`;
  const failure = failedCall(treatment.code, cleanMessage(`${treatment.message} (${detail})`), {
    retryable: treatment.retryable,
    retryAfterMs: treatment.retryable
      ? (retryAfterMs(retryAfterSeconds, nowMs) ?? treatment.retryAfterMs)
      : undefined,
  });
  return { failure, needsMending: !treatment.retryable };
}

/** Of an exception that is in no list. */
function refusalOf(status: number): Refusal {
  if (status === 429) return 'throttled';
  if (status >= 500) return 'unavailable';
  if (status === 401 || status === 403) return 'denied';
  return 'refused';
}

function partsOf(error: unknown) {
  const {
    name = 'Error',
    code,
    $metadata,
    Reason,
    retryAfterSeconds,
  } = (error instanceof Error ? error : {}) as Error & {
    readonly code?: unknown;
    readonly $metadata?: { readonly httpStatusCode?: number };
    readonly Reason?: unknown;
    readonly retryAfterSeconds?: unknown;
  };
  return {
    name,
    code: textOrNull(code),
    /** Null where nothing was answered. */
    status: $metadata?.httpStatusCode ?? null,
    reason: textOrNull(Reason),
    retryAfterSeconds: textOrNull(retryAfterSeconds),
  };
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
