/** What an error of the client says about records that were to be published. */
export interface DeliveryFault {
  /** See `Delivery`. */
  readonly status: 'refused' | 'unsent' | 'unknown';
  /** Kafka's own code where it has one, as `UNKNOWN_TOPIC_OR_PARTITION`, else the error's class. */
  readonly code: string;
  /** Which of the records it is about, where they went together. */
  readonly about: 'topic' | 'record' | 'all';
  /** It may be over in a moment, and trying once more is no second sending of what is still on its way. */
  readonly isPassing: boolean;
}

/** The topic's metadata say so: where one of several topics is meant, they do not say which. */
const ABOUT_TOPIC = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'INVALID_TOPIC_EXCEPTION',
  'TOPIC_AUTHORIZATION_FAILED',
]);
/** One record is enough for them, and its neighbours are refused with it. */
const ABOUT_RECORD = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'CORRUPT_MESSAGE',
  'INVALID_TIMESTAMP',
  'INVALID_RECORD',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
]);
/** Kafka answered, and does not know itself whether it will have the records. */
const UNDECIDED = new Set([
  'REQUEST_TIMED_OUT',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'NETWORK_EXCEPTION',
  'UNKNOWN',
]);
/** Nothing was sent. */
const BEFORE_SENDING = new Set([
  'KafkaJSConnectionError',
  'KafkaJSBrokerNotFound',
  'KafkaJSMetadataNotLoaded',
  'KafkaJSTopicMetadataNotLoaded',
  'KafkaJSSASLAuthenticationError',
]);

export function deliveryFaultOf(error: unknown): DeliveryFault {
  const { code, isProtocol, isRetriable } = originOf(error);
  if (isProtocol && !UNDECIDED.has(code)) {
    const about = ABOUT_TOPIC.has(code) ? 'topic' : ABOUT_RECORD.has(code) ? 'record' : 'all';
    return { status: 'refused', code, about, isPassing: isRetriable && about === 'all' };
  }
  if (BEFORE_SENDING.has(code)) return { status: 'unsent', code, about: 'all', isPassing: true };
  // A function that was frozen finds its connections closed: no time-out, and a repeat is the rule of the client too.
  return { status: 'unknown', code, about: 'all', isPassing: code === 'KafkaJSConnectionClosedError' };
}

/**
 * The owner of a run reads why it is not published, and the messages name brokers and roles: only codes and classes are told, the
 * errors are the cause, for the log.
 */
function originOf(error: unknown): { code: string; isProtocol: boolean; isRetriable: boolean } {
  if (!(error instanceof Error)) return { code: 'unknown', isProtocol: false, isRetriable: false };
  if (error.name === 'KafkaJSNumberOfRetriesExceeded' && error.cause instanceof Error)
    return originOf(error.cause);
  const isRetriable = 'retriable' in error && error.retriable === true;
  if ('type' in error && typeof error.type === 'string')
    return { code: error.type, isProtocol: true, isRetriable };
  return { code: error.name, isProtocol: false, isRetriable };
}
